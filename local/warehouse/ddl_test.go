package warehouse

import (
	"strings"
	"testing"
)

func TestTableDDL(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE DATABASE D`)
	l.exec(`CREATE TABLE T (A STRING, B CHAR, C NUMBER, D DECIMAL(10,2) NOT NULL DEFAULT 1.5 COMMENT 'money', E DOUBLE PRECISION, F DATETIME, G BINARY,
		H VARIANT, I TIMESTAMP_LTZ(3), J VARCHAR(20) DEFAULT 'a,b', "k" BOOLEAN, PRIMARY KEY (C)) CLUSTER BY (A, TO_DATE(F)) DATA_RETENTION_TIME_IN_DAYS = 3 COMMENT = 'it''s'`)
	l.want(`DESC TABLE T`,
		"A|VARCHAR(16777216)|COLUMN|Y|NULL|N|N|NULL|NULL|NULL|NULL|NULL",
		"B|VARCHAR(1)|COLUMN|Y|NULL|N|N|NULL|NULL|NULL|NULL|NULL",
		"C|NUMBER(38,0)|COLUMN|N|NULL|Y|N|NULL|NULL|NULL|NULL|NULL",
		"D|NUMBER(10,2)|COLUMN|N|1.5|N|N|NULL|NULL|money|NULL|NULL",
		"E|FLOAT|COLUMN|Y|NULL|N|N|NULL|NULL|NULL|NULL|NULL",
		"F|TIMESTAMP_NTZ(9)|COLUMN|Y|NULL|N|N|NULL|NULL|NULL|NULL|NULL",
		"G|BINARY(8388608)|COLUMN|Y|NULL|N|N|NULL|NULL|NULL|NULL|NULL",
		"H|VARIANT|COLUMN|Y|NULL|N|N|NULL|NULL|NULL|NULL|NULL",
		"I|TIMESTAMP_LTZ(3)|COLUMN|Y|NULL|N|N|NULL|NULL|NULL|NULL|NULL",
		"J|VARCHAR(20)|COLUMN|Y|'a,b'|N|N|NULL|NULL|NULL|NULL|NULL",
		"k|BOOLEAN|COLUMN|Y|NULL|N|N|NULL|NULL|NULL|NULL|NULL")
	_, rows := l.table(`SHOW TABLES LIKE 't' IN SCHEMA D.PUBLIC`)
	if r := rows[0]; r["cluster_by"] != "LINEAR(A, TO_DATE(F))" || r["retention_time"] != "3" || r["comment"] != "it's" || r["kind"] != "TABLE" || r["rows"] != "0" {
		t.Errorf("SHOW TABLES: %v", r)
	}
	l.fails(2002, "already exists", `CREATE TABLE T (A INT)`)
	l.exec(`CREATE TABLE IF NOT EXISTS T (A INT)`)
	l.exec(`INSERT INTO T (C, A) VALUES (1, 'x'), (2, NULL)`)
	l.want(`SELECT C, A, D, J FROM T ORDER BY C`, "1|x|1.50|a,b", "2|NULL|1.50|a,b")
	l.fails(100072, "non-nullable column 'C'", `INSERT INTO T (A) VALUES ('y')`)
	l.fails(100078, "too long", `INSERT INTO T (C, B) VALUES (3, 'yy')`)
	l.fails(2020, "expecting 2 but got 1", `INSERT INTO T (C, B) VALUES (3)`)
	l.want(`SELECT COUNT(*) FROM T`, "2")
	created := rows[0]["created_on"]
	l.exec(`CREATE OR REPLACE TABLE T (A INT)`)
	_, rows = l.table(`SHOW TABLES IN SCHEMA D.PUBLIC`)
	if rows[0]["created_on"] == created {
		t.Error("created_on did not change when the table was replaced")
	}
	l.want(`SELECT COUNT(*) FROM T`, "0")
}

func TestAlterTable(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE DATABASE D`)
	l.exec(`CREATE TABLE T (A INT, B VARCHAR(3), C NUMBER(5,1) DEFAULT 2)`)
	l.exec(`INSERT INTO T VALUES (1, 'abc', 1.5)`)
	created := l.rows(`SHOW TABLES`)[0][:24]
	l.exec(`ALTER TABLE T ADD COLUMN D DATE, E INT NOT NULL DEFAULT 7 COMMENT 'seven'`)
	l.exec(`ALTER TABLE T ADD COLUMN IF NOT EXISTS D DATE`)
	l.exec(`ALTER TABLE T ALTER COLUMN B SET DATA TYPE VARCHAR(5), COLUMN C TYPE NUMBER(8,1)`)
	l.exec(`INSERT INTO T (A, B) VALUES (NULL, 'abcde')`)
	l.want(`SELECT * FROM T ORDER BY B`, "1|abc|1.5|NULL|7", "NULL|abcde|2.0|NULL|7")
	l.fails(40052, "from type VARCHAR(5) to VARCHAR(4)", `ALTER TABLE T ALTER B TYPE VARCHAR(4)`)
	l.fails(40052, "NUMBER(8,2)", `ALTER TABLE T ALTER C TYPE NUMBER(8,2)`)
	l.fails(40052, "FLOAT", `ALTER TABLE T ALTER C TYPE FLOAT`)
	l.fails(2199, "only dropped", `ALTER TABLE T ALTER C SET DEFAULT 5`)
	l.fails(2108, "null values", `ALTER TABLE T ALTER A SET NOT NULL`)
	l.exec(`ALTER TABLE T MODIFY COLUMN B SET NOT NULL, COLUMN C DROP DEFAULT, COLUMN E DROP NOT NULL, COLUMN A COMMENT 'first'`)
	l.exec(`ALTER TABLE T RENAME COLUMN A TO "a"`)
	l.exec(`ALTER TABLE T DROP COLUMN D`)
	l.fails(904, "does not exist", `ALTER TABLE T DROP COLUMN D`)
	l.fails(2025, "duplicate column", `ALTER TABLE T ADD COLUMN B INT`)
	l.fails(2260, "non-empty", `ALTER TABLE T ADD COLUMN F INT NOT NULL`)
	l.exec(`ALTER TABLE T SET COMMENT = 'new'`)
	l.exec(`ALTER TABLE T ALTER COLUMN E COMMENT 'e'`)
	l.want(`DESC TABLE T`,
		"a|NUMBER(38,0)|COLUMN|Y|NULL|N|N|NULL|NULL|first|NULL|NULL",
		"B|VARCHAR(5)|COLUMN|N|NULL|N|N|NULL|NULL|NULL|NULL|NULL",
		"C|NUMBER(8,1)|COLUMN|Y|NULL|N|N|NULL|NULL|NULL|NULL|NULL",
		"E|NUMBER(38,0)|COLUMN|Y|7|N|N|NULL|NULL|e|NULL|NULL")
	l.exec(`ALTER TABLE T RENAME TO U`)
	l.want(`SELECT "a", B FROM U ORDER BY B`, "1|abc", "NULL|abcde")
	if after := l.rows(`SHOW TABLES`)[0][:24]; after != created {
		t.Errorf("ALTER changed created_on from %s to %s", created, after)
	}
}

func TestTableOptions(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE DATABASE D`)
	l.exec(`CREATE TABLE T (A INT PRIMARY KEY, B INT NULL UNIQUE DEFAULT NULL, C CHAR VARYING(5), CONSTRAINT U UNIQUE (B, C)) CLUSTER BY (A)`)
	l.want(`DESC TABLE T`,
		"A|NUMBER(38,0)|COLUMN|N|NULL|Y|N|NULL|NULL|NULL|NULL|NULL",
		"B|NUMBER(38,0)|COLUMN|Y|NULL|N|Y|NULL|NULL|NULL|NULL|NULL",
		"C|VARCHAR(5)|COLUMN|Y|NULL|N|Y|NULL|NULL|NULL|NULL|NULL")
	l.exec(`ALTER TABLE T DROP CLUSTERING KEY`)
	if _, rows := l.table(`SHOW TABLES`); rows[0]["cluster_by"] != "" {
		t.Errorf("cluster by %s", rows[0]["cluster_by"])
	}
	l.exec(`ALTER TABLE T DROP COLUMN IF EXISTS X, B`)
	l.exec(`ALTER TABLE T RENAME COLUMN C TO "c"`)
	l.exec(`ALTER TABLE T DROP COLUMN "c"`)
	l.fails(2262, "only column", `ALTER TABLE T DROP COLUMN A`)
	l.exec(`ALTER TABLE IF EXISTS NOPE DROP COLUMN A`)
	l.exec(`TRUNCATE TABLE IF EXISTS NOPE`)
	for q, what := range map[string]string{
		`ALTER TABLE T ADD CONSTRAINT X UNIQUE (A)`: "ALTER TABLE ADD CONSTRAINT", `ALTER TABLE T DROP PRIMARY KEY`: "ALTER TABLE … DROP PRIMARY",
		`ALTER TABLE T SWAP WITH U`: "ALTER TABLE … SWAP WITH", `ALTER TABLE T SET CHANGE_TRACKING = TRUE`: "CHANGE_TRACKING",
		`ALTER TABLE T UNSET COMMENT`: "ALTER TABLE … UNSET COMMENT", `COMMENT ON TABLE T IS 'x'`: "the statement COMMENT",
		`CREATE TABLE U LIKE T`: "CREATE TABLE … LIKE", `CREATE TABLE U (A INT, FOREIGN KEY (A) REFERENCES T (A))`: "foreign keys",
		`CREATE TABLE U (A INT AUTOINCREMENT)`: "the column property AUTOINCREMENT", `ALTER WAREHOUSE COMPUTE_WH SUSPEND`: "ALTER WAREHOUSE … SUSPEND",
		`ALTER ACCOUNT SET A = 1`: "ACCOUNT objects", `SHOW COLUMNS IN TABLE T`: "SHOW COLUMNS", `DESC SCHEMA PUBLIC`: "DESCRIBE SCHEMA",
		`SELECT * FROM INFORMATION_SCHEMA.SCHEMATA`: "INFORMATION_SCHEMA.SCHEMATA", `CREATE WAREHOUSE W MAX_CLUSTER_COUNT = 2`: "MAX_CLUSTER_COUNT",
		`CREATE SCHEMA S CLONE PUBLIC`: "CREATE SCHEMA … CLONE", `ALTER SCHEMA PUBLIC UNSET COMMENT`: "UNSET COMMENT of a schema",
		`CREATE STAGE S URL = 'azure://a.blob.core.windows.net/c' DIRECTORY = (ENABLE = TRUE)`: "DIRECTORY", `CREATE STAGE S URL = 's3://a/b'`: "stages on s3://",
	} {
		l.fails(2, what, q)
	}
}

func TestDML(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE DATABASE D`)
	l.exec(`CREATE TABLE T (A INT, B VARCHAR(5))`)
	l.exec(`CREATE TABLE U (A INT, N VARCHAR)`)
	l.exec(`INSERT INTO T VALUES (1, 'x'), (2, 'y'), (3, 'z')`)
	l.exec(`INSERT INTO U VALUES (2, 'two'), (3, 'three')`)
	for q, want := range map[string]int64{
		`UPDATE T SET B = UPPER(B), A = A * 10 WHERE A = 1`:        1,
		`UPDATE D.PUBLIC.T X SET X.B = U.N FROM U WHERE X.A = U.A`: 2,
	} {
		res, err := l.db.Exec(q)
		check(t, err)
		if n, _ := res.RowsAffected(); n != want {
			t.Errorf("%s: %d rows, want %d", q, n, want)
		}
	}
	l.want(`SELECT * FROM T ORDER BY A`, "2|two", "3|three", "10|X")
	l.fails(100078, "too long", `UPDATE T SET B = 'abcdef'`)
	res, err := l.db.Exec(`DELETE FROM T USING U WHERE T.A = U.A AND U.N = 'two'`)
	check(t, err)
	if n, _ := res.RowsAffected(); n != 1 {
		t.Errorf("deleted %d rows", n)
	}
	l.exec(`INSERT OVERWRITE INTO T SELECT A, 'o' FROM U`)
	l.want(`SELECT * FROM T ORDER BY A`, "2|o", "3|o")
	l.exec(`INSERT INTO T SELECT * FROM T`)
	res, err = l.db.Exec(`INSERT OVERWRITE INTO T SELECT DISTINCT * FROM T`) // reads what it overwrites
	check(t, err)
	if n, _ := res.RowsAffected(); n != 2 {
		t.Errorf("wrote %d rows", n)
	}
	l.want(`SELECT * FROM T ORDER BY A`, "2|o", "3|o")
	l.fails(100078, "too long", `INSERT OVERWRITE INTO T SELECT A, 'abcdef' FROM T`)
	l.want(`SELECT * FROM T ORDER BY A`, "2|o", "3|o")
	l.exec(`TRUNCATE TABLE T`)
	l.want(`SELECT COUNT(*) FROM T`, "0")
	l.exec(`CREATE OR REPLACE TABLE U AS SELECT A + 1 AS A, N, CURRENT_DATE() AS DAY FROM U`)
	l.want(`SELECT A, N FROM U ORDER BY A`, "3|two", "4|three")
	_, rows := l.table(`SHOW TABLES LIKE 'U'`)
	if rows[0]["rows"] != "2" || rows[0]["bytes"] == "0" {
		t.Errorf("SHOW TABLES: %v", rows[0])
	}
}

func TestNames(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE DATABASE d`)
	l.exec(`CREATE SCHEMA D."low.er"`)
	l.exec(`CREATE TABLE "T" (A INT)`)
	l.exec(`CREATE TABLE "t" ("A b""c" INT)`)
	l.exec(`INSERT INTO "t" VALUES (5)`)
	l.want(`SELECT "A b""c" FROM d."low.er"."t"`, "5")
	l.want(`SELECT "t"."A b""c" FROM "t"`, "5")
	l.want(`SELECT D."low.er"."t"."A b""c" FROM "t"`, "5")
	l.want(`SELECT COUNT(*) FROM t`, "0")
	l.fails(1014, "too long", `CREATE TABLE `+strings.Repeat("x", 256)+` (A INT)`)
	l.exec(`CREATE TABLE ` + strings.Repeat("x", 255) + ` (A INT)`)
	l.want(`WITH T AS (SELECT 7 AS A), U AS (SELECT A + 1 AS A FROM T) SELECT T.A, U.A FROM T, U`, "7|8")
	l.want(`WITH "t" AS (SELECT "A b""c" AS X FROM "t") SELECT X FROM "t"`, "5")
	l.want(`SELECT X.A FROM (SELECT 1 AS A) X LEFT JOIN T Y ON X.A = Y.A WHERE EXISTS (SELECT 1 FROM "t")`, "1")
}

func TestViewsAndContainers(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE DATABASE A COMMENT = 'first'`)
	l.exec(`CREATE TABLE T (N INT, S VARCHAR)`)
	l.exec(`INSERT INTO T VALUES (1, 'x'), (2, 'y')`)
	l.exec(`CREATE VIEW V (NUM COMMENT 'n', TXT) COMMENT = 'v' AS SELECT N * 2, S FROM T WHERE N > 1`)
	l.exec(`CREATE DATABASE B`)
	l.exec(`CREATE VIEW W AS SELECT * FROM A.PUBLIC.V`)
	l.want(`SELECT * FROM W`, "4|y")
	l.want(`SELECT W.TXT, V.NUM FROM W JOIN A.PUBLIC.V V ON V.TXT = W.TXT`, "y|4")
	l.want(`DESC VIEW A.PUBLIC.V`,
		"NUM|NUMBER(38,0)|COLUMN|Y|NULL|N|N|NULL|NULL|n|NULL|NULL",
		"TXT|VARCHAR(16777216)|COLUMN|Y|NULL|N|N|NULL|NULL|NULL|NULL|NULL")
	_, rows := l.table(`SHOW VIEWS IN DATABASE A`)
	if r := rows[0]; r["comment"] != "v" || !strings.HasPrefix(r["text"], "CREATE VIEW V") || r["schema_name"] != "PUBLIC" {
		t.Errorf("SHOW VIEWS: %v", r)
	}
	l.fails(2002, "", `CREATE TABLE A.PUBLIC.V (A INT)`)
	l.exec(`CREATE OR REPLACE VIEW A.PUBLIC.V AS SELECT S AS TXT, 9 AS NUM FROM T`)
	l.want(`SELECT NUM FROM W LIMIT 1`, "9")
	l.exec(`ALTER DATABASE A RENAME TO A2`)
	l.want(`SELECT COUNT(*) FROM A2.PUBLIC.T`, "2")
	l.exec(`ALTER DATABASE A2 SET DATA_RETENTION_TIME_IN_DAYS = 5 COMMENT = 'c'`)
	_, rows = l.table(`SHOW DATABASES LIKE 'A%'`)
	if r := rows[0]; r["name"] != "A2" || r["retention_time"] != "5" || r["comment"] != "c" {
		t.Errorf("SHOW DATABASES: %v", r)
	}
	l.want(`SELECT TABLE_NAME, TABLE_TYPE, ROW_COUNT FROM A2.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'PUBLIC' ORDER BY 1`, "T|BASE TABLE|2", "V|VIEW|NULL")
	l.want(`SELECT COLUMN_NAME, DATA_TYPE FROM A2.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'T' ORDER BY ORDINAL_POSITION`, "N|NUMBER", "S|TEXT")
	l.exec(`DROP DATABASE A2`)
	l.fails(2003, "", `SELECT * FROM W`)
	l.exec(`DROP DATABASE IF EXISTS A2`)
	l.want(`SHOW DATABASES LIKE 'A%'`)
}

func TestWarehouses(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE WAREHOUSE LOAD_WH WITH WAREHOUSE_SIZE = 'XSMALL' AUTO_SUSPEND = 60 AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE COMMENT = 'load'`)
	l.exec(`ALTER WAREHOUSE LOAD_WH SET WAREHOUSE_SIZE = MEDIUM, AUTO_SUSPEND = 120`)
	_, rows := l.table(`SHOW WAREHOUSES LIKE 'load_wh'`)
	if r := rows[0]; r["size"] != "Medium" || r["auto_suspend"] != "120" || r["auto_resume"] != "true" || r["state"] != "SUSPENDED" || r["comment"] != "load" {
		t.Errorf("SHOW WAREHOUSES: %v", r)
	}
	l.fails(1008, "WAREHOUSE_SIZE", `ALTER WAREHOUSE LOAD_WH SET WAREHOUSE_SIZE = HUGE`)
	l.exec(`DROP WAREHOUSE LOAD_WH`)
}

func TestSurvivesReopen(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	before := l.rows(`SHOW TABLES`)[0] + l.rows(`SHOW PIPES`)[0] + l.rows(`SHOW STAGES`)[0]
	l.close()
	l.open()
	l.exec(`USE MARKET.RAW`)
	if after := l.rows(`SHOW TABLES`)[0] + l.rows(`SHOW PIPES`)[0] + l.rows(`SHOW STAGES`)[0]; after != before {
		t.Errorf("after reopening\n%s\nbefore\n%s", after, before)
	}
	l.put("prices/daily/1.json", []byte(row1))
	l.eventually(`SELECT COUNT(*) FROM PRICES`, "1")
}
