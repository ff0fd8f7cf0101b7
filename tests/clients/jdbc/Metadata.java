import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.Savepoint;
import java.sql.SQLException;
import java.sql.Statement;
import org.postgresql.copy.CopyManager;
import org.postgresql.core.BaseConnection;

/** All of DatabaseMetaData, and what programs do with a connection. The environment says where. */
public class Metadata {
    public static void main(String[] arguments) throws Exception {
        try (Connection connection = Told.connect()) {
            describes(connection.getMetaData());
            reads(connection);
            commits(connection);
        }
    }

    static void describes(DatabaseMetaData data) {
        String[] tables = {"TABLE", "PARTITIONED TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"};
        String[] others = {"SYSTEM TABLE", "SYSTEM VIEW", "INDEX", "SEQUENCE", "TYPE"};
        Told.rows("getCatalogs", () -> data.getCatalogs());
        Told.rows("getSchemas", () -> data.getSchemas());
        Told.rows("getSchemas like", () -> data.getSchemas(null, "pub%"));
        Told.rows("getTableTypes", () -> data.getTableTypes());
        Told.rows("getTables", () -> data.getTables(null, null, "%", null));
        Told.rows("getTables of the user", () -> data.getTables(null, "public", "%", tables));
        Told.rows("getTables of the system", () -> data.getTables(null, null, "%", others));
        Told.rows("getColumns", () -> data.getColumns(null, "public", "%", "%"));
        Told.rows("getColumns of one", () -> data.getColumns(null, null, "customers", null));
        Told.rows("getPrimaryKeys", () -> data.getPrimaryKeys(null, "public", "customers"));
        Told.rows("getIndexInfo", () -> data.getIndexInfo(null, "public", "orders", false, true));
        Told.rows("getImportedKeys", () -> data.getImportedKeys(null, "public", "orders"));
        Told.rows("getExportedKeys", () -> data.getExportedKeys(null, "public", "customers"));
        Told.rows("getCrossReference",
            () -> data.getCrossReference(null, "public", "customers", null, "public", "orders"));
        Told.rows("getBestRowIdentifier",
            () -> data.getBestRowIdentifier(null, "public", "customers", DatabaseMetaData.bestRowSession, true));
        Told.rows("getVersionColumns", () -> data.getVersionColumns(null, "public", "customers"));
        Told.rows("getTablePrivileges", () -> data.getTablePrivileges(null, "public", "%"));
        Told.rows("getColumnPrivileges", () -> data.getColumnPrivileges(null, "public", "customers", "%"));
        Told.rows("getProcedures", () -> data.getProcedures(null, null, "%"));
        Told.rows("getFunctions", () -> data.getFunctions(null, null, "lo%"));
        Told.rows("getFunctionColumns", () -> data.getFunctionColumns(null, null, "lower%", "%"));
        Told.rows("getProcedureColumns", () -> data.getProcedureColumns(null, null, "lower%", "%"));
        Told.rows("getTypeInfo", () -> data.getTypeInfo());
        Told.rows("getUDTs", () -> data.getUDTs(null, null, "%", null));
        Told.rows("getClientInfoProperties", () -> data.getClientInfoProperties());
        Told.value("getSQLKeywords", () -> data.getSQLKeywords());
        Told.value("getMaxColumnNameLength", () -> data.getMaxColumnNameLength());
        Told.value("getMaxColumnsInIndex", () -> data.getMaxColumnsInIndex());
        Told.value("getDefaultTransactionIsolation", () -> data.getDefaultTransactionIsolation());
    }

    static void reads(Connection connection) throws SQLException {
        Told.value("getSchema", () -> connection.getSchema());
        Told.value("isValid", () -> connection.isValid(3));
        Told.value("getTransactionIsolation", () -> connection.getTransactionIsolation());
        // More often than the driver's threshold for a statement of its own on the server, then in binary.
        for (int most = 0; most < 8; most++) {
            int last = most;
            Told.rows("customers up to " + most, () -> {
                PreparedStatement statement = connection.prepareStatement("select * from customers where id < ? order by id");
                statement.setInt(1, last);
                return statement.executeQuery();
            });
        }
        Told.value("columns of a result", () -> {
            PreparedStatement statement = connection.prepareStatement("select id, name, ssn, salary from customers");
            ResultSetMetaData columns = statement.getMetaData();
            StringBuilder text = new StringBuilder();
            for (int at = 1; at <= columns.getColumnCount(); at++) {
                text.append(columns.getColumnLabel(at)).append(' ').append(columns.getColumnTypeName(at)).append(' ')
                    .append(columns.getColumnClassName(at)).append("; ");
            }
            return text;
        });
        Told.value("an array", () -> connection.createArrayOf("text", new Object[] {"a", "b"}));
    }

    static void commits(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        Told.rows("two rows at a time", () -> {
            Statement statement = connection.createStatement();
            statement.setFetchSize(2);
            return statement.executeQuery("select id from orders order by id limit 5");
        });
        Told.value("savepoint", () -> {
            Savepoint savepoint = connection.setSavepoint();
            connection.createStatement().executeQuery("select 1");
            connection.rollback(savepoint);
            return "back";
        });
        connection.commit();
        Told.value("copy", () -> {
            StringWriter text = new StringWriter();
            String copy = "copy (select id, email from customers order by id) to stdout";
            return new CopyManager((BaseConnection) connection).copyOut(copy, text) + " " + text;
        });
        connection.commit();
        Told.value("client info", () -> {
            connection.setClientInfo("ApplicationName", "metadata");
            return connection.getClientInfo("ApplicationName");
        });
        connection.commit();
        connection.setReadOnly(true);
        Told.rows("read only", () -> connection.createStatement().executeQuery("select count(*) from customers"));
        connection.commit();
    }
}
