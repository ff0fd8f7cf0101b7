import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

/** Asks the statements of a file, as the tool does that it is named after. The environment says where. */
public class Queries {
    public static void main(String[] arguments) throws Exception {
        try (Connection connection = Told.connect()) {
            for (String statement : Files.readString(Path.of(arguments[0])).split(";\\n")) {
                asked(connection, statement.strip());
            }
        }
    }

    /** A statement below comments; one of them may give the values of its parameters. */
    static void asked(Connection connection, String text) throws SQLException {
        String[] values = {};
        StringBuilder sql = new StringBuilder();
        for (String line : text.split("\n")) {
            if (line.startsWith("--:")) {
                values = line.substring(3).split(",");
            } else if (!line.startsWith("--")) {
                sql.append(line).append('\n');
            }
        }
        if (sql.toString().isBlank()) {
            return;
        }
        String question = sql.toString().strip().replaceAll("\\s+", " ");
        String[] given = values;
        if (question.startsWith("SET ")) {
            Told.value(question, () -> connection.createStatement().execute(question));
            return;
        }
        Told.rows(question, () -> {
            PreparedStatement statement = connection.prepareStatement(question);
            for (int at = 0; at < given.length; at++) {
                String value = given[at].strip();
                if (value.startsWith("schema ")) {
                    statement.setLong(at + 1, oid(connection, "select oid from pg_catalog.pg_namespace where nspname = ?", value));
                } else if (value.startsWith("table ")) {
                    statement.setLong(at + 1, oid(connection, "select oid from pg_catalog.pg_class where relname = ?", value));
                } else {
                    statement.setString(at + 1, value);
                }
            }
            return statement.executeQuery();
        });
    }

    static long oid(Connection connection, String question, String value) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(question)) {
            statement.setString(1, value.substring(value.indexOf(' ') + 1));
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                return rows.getLong(1);
            }
        }
    }
}
