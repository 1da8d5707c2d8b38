// Package dialect turns Snowflake SQL text into DuckDB SQL text.
//
// It is a token rewriter, not a parser: it knows where a name, a type, a function call and its
// arguments begin and end, and nothing of tables, columns or their types. What it does not know it
// refuses by name with an [*Unsupported] error; it never passes a guess on to the database.
//
// Bare identifiers become quoted upper-case ones, as Snowflake resolves them, so the database is
// expected to hold its names resolved. The rewritten text calls the macros that [Macros] lists;
// they must be created in the database once, and the settings that [Settings] lists run on each connection.
//
// What only a session or a catalog knows (CURRENT_ROLE(), SYSTEM$PIPE_STATUS, the table functions of
// INFORMATION_SCHEMA) is refused like any other function: the warehouse puts values in their place before.
package dialect
