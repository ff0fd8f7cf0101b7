"""What a client prints: a head line with the question, the answer below, so that two runs can be compared."""


def tell(question, ask):
    """Asks, and prints the answer or the error."""
    try:
        answer = ask()
    except Exception as error:  # every client has its own
        answer = f"FAILED {type(error).__name__}: {error}"
    print(f"== {question}\n{answer if isinstance(answer, str) else repr(answer)}", flush=True)
