// Package snowflake manages databases, schemas, tables, views, file formats, stages, notification integrations, pipes and
// warehouses through SQL.
//
// Each kind is one file: its described value, the statements that create and alter it, and how SHOW and DESCRIBE
// are read back. Objects are read in batches: one SHOW per kind and schema (or database, or account), then DESCRIBE
// per object where SHOW does not tell enough. Nothing here needs a running virtual warehouse.
//
// It knows Snowflake's SQL and driver and the contract of package providers. It knows no other provider: a stage gets its
// SAS token from a function that it is given, and containers and queues are URLs.
package snowflake
