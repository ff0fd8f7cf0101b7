import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.util.Set;

/** What a client prints: the answer to a question, so that two runs can be compared. */
class Told {
    /** Columns that tell how a table is stored, not what it is. */
    static final Set<String> STORAGE = Set.of("relfilenode", "relpages", "reltuples", "relallvisible", "relfrozenxid",
        "relminmxid", "datfrozenxid", "datminmxid", "dattablespace", "total_rel_size", "rel_size", "index_rel_size",
        "index_num_scans", "estimated_row_count", "relnatts", "relrewrite");

    interface Question<T> {
        T ask() throws Exception;
    }

    static Connection connect() throws SQLException {
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE")
            + "?sslmode=" + System.getenv("PGSSLMODE");
        return DriverManager.getConnection(url, System.getenv("PGUSER"), System.getenv("PGPASSWORD"));
    }

    static void value(String question, Question<Object> asked) {
        try {
            Object answer = asked.ask();
            System.out.println("== " + question + "\n" + answer);
        } catch (Exception error) {
            failed(question, error);
        }
    }

    /** All rows with the names of their columns, less what tells of storage. */
    static void rows(String question, Question<ResultSet> asked) {
        try (ResultSet rows = asked.ask()) {
            ResultSetMetaData columns = rows.getMetaData();
            StringBuilder text = new StringBuilder();
            int count = 0;
            for (; rows.next(); count++) {
                text.append("\n ");
                for (int at = 1; at <= columns.getColumnCount(); at++) {
                    String name = columns.getColumnLabel(at);
                    if (!STORAGE.contains(name)) {
                        text.append(' ').append(name).append('=').append(rows.getString(at));
                    }
                }
            }
            System.out.println("== " + question + "\n" + count + " rows" + text);
        } catch (Exception error) {
            failed(question, error);
        }
    }

    private static void failed(String question, Exception error) {
        String state = error instanceof SQLException ? ((SQLException) error).getSQLState() : error.getClass().getName();
        System.out.println("== " + question + "\nFAILED " + state + " " + error.getMessage());
    }
}
