// Package warehouse speaks the Snowflake wire protocol over HTTP and keeps its data in one DuckDB file.
//
// It is for one machine: a stack that is written for Snowflake runs against it unchanged, through the
// unmodified Snowflake drivers. It knows the statements that describe and load a pipeline (databases,
// schemas, tables, views, file formats, stages, notification integrations, pipes, warehouses), SHOW and
// DESCRIBE of those that mkt reads, COPY INTO, simple DML, and queries as far as package dialect can turn them into
// DuckDB SQL. Whatever else arrives is refused by name with SQLSTATE 0A000.
//
// Grants are kept and shown, but nobody lacks one: every role exists and may do everything. It does not know time travel, cloning, what changed
// in a table (streams are kept and shown, and reading one is refused), WHEN and scripts of tasks, user code and internal stages. A TIMESTAMP_TZ
// has UTC's offset: one with another offset is refused, and so is reading one in a session of another time zone.
//
// The consent that a tenant's administrator gives to notification integrations counts as given. While there is a file
// named no-consent in the warehouse's directory it does not: tests play the wait for it with that.
//
// # How it is built
//
// The catalog (catalog.go) holds every object as an immutable value, mirrored in the table meta.objects.
// A table's rows live in data."t<id>"; names exist in the catalog alone, so a rename or a replacement
// never touches rows. A DDL statement changes DuckDB and the catalog in one transaction, alone
// ([Warehouse.ddl]); loads and DML share the lock.
//
// A query goes: context functions and table functions replaced (functions.go), dialect.Rewrite, names
// resolved by splicing physical names into the text at the positions that DuckDB's own parser reports
// (resolve.go), run, answered as Arrow (result_arrow.go).
//
// A load goes: blob fetched and normalised to a local file (fetch.go), typed into a temporary table
// (load.go), then rows, load history and the pipe's name memory in one transaction.
package warehouse
