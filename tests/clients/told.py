"""What a client prints: a head line with the question, the answer below, so that two runs can be compared."""

import re


def tell(question, ask):
    """Asks, and prints the answer or the error."""
    try:
        answer = ask()
    except Exception as error:  # every client has its own
        answer = f"FAILED {type(error).__name__}: {error}"
    answer = answer if isinstance(answer, str) else repr(answer)
    # Where an object stands in memory is nobody's answer.
    print(f"== {question}\n{re.sub('0x[0-9a-f]{8,}', '0x', answer)}", flush=True)
