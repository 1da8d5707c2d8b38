package warehouse

import (
	"strings"
	"testing"
)

// granted lists privilege, kind, role and option of SHOW GRANTS.
func (l *lab) granted(show string) string {
	l.t.Helper()
	var list []string
	_, rows := l.table(show)
	for _, r := range rows {
		list = append(list, r["privilege"]+" "+r["granted_on"]+" "+r["name"]+" "+r["grantee_name"]+" "+r["grant_option"])
	}
	return strings.Join(list, ", ")
}

func TestGrants(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE DATABASE D`)
	l.exec(`CREATE TABLE T (A INT)`)
	l.exec(`CREATE VIEW V AS SELECT A FROM T`)
	l.exec(`GRANT SELECT, EVOLVE SCHEMA ON TABLE T TO ROLE "r"`)
	l.exec(`GRANT SELECT ON TABLE T TO X WITH GRANT OPTION`)
	l.exec(`GRANT CREATE TABLE, USAGE ON SCHEMA D.PUBLIC TO ROLE X`)
	l.exec(`GRANT EXECUTE TASK ON ACCOUNT TO ROLE X`)
	l.exec(`GRANT SELECT ON VIEW V TO ROLE X`)
	owner := "OWNERSHIP TABLE D.PUBLIC.T ACCOUNTADMIN true"
	want := func(show, want string) {
		t.Helper()
		if got := l.granted(show); got != want {
			t.Errorf("%s:\n%s, want\n%s", show, got, want)
		}
	}
	want(`SHOW GRANTS ON TABLE T`, owner+", EVOLVE SCHEMA TABLE D.PUBLIC.T r false, SELECT TABLE D.PUBLIC.T X true, SELECT TABLE D.PUBLIC.T r false")
	want(`SHOW GRANTS ON ACCOUNT`, "EXECUTE TASK ACCOUNT LOCAL X false")
	want(`SHOW GRANTS TO ROLE "r"`, "EVOLVE SCHEMA TABLE D.PUBLIC.T r false, SELECT TABLE D.PUBLIC.T r false")
	want(`SHOW GRANTS TO ROLE ACCOUNTADMIN`, "OWNERSHIP WAREHOUSE COMPUTE_WH ACCOUNTADMIN true, OWNERSHIP DATABASE D ACCOUNTADMIN true, OWNERSHIP SCHEMA D.PUBLIC ACCOUNTADMIN true, "+owner+", OWNERSHIP VIEW D.PUBLIC.V ACCOUNTADMIN true")
	l.exec(`REVOKE GRANT OPTION FOR SELECT ON TABLE T FROM ROLE X CASCADE`)
	l.exec(`REVOKE SELECT ON TABLE T FROM ROLE "r"`)
	l.exec(`REVOKE SELECT ON TABLE T FROM ROLE "r"`) // what is not granted
	l.close()
	l.open()
	l.exec(`USE SCHEMA D.PUBLIC`)
	want(`SHOW GRANTS ON TABLE T`, owner+", EVOLVE SCHEMA TABLE D.PUBLIC.T r false, SELECT TABLE D.PUBLIC.T X false")

	l.exec(`CREATE OR REPLACE VIEW V COPY GRANTS AS SELECT A + 1 AS A FROM T`)
	want(`SHOW GRANTS ON VIEW V`, "OWNERSHIP VIEW D.PUBLIC.V ACCOUNTADMIN true, SELECT VIEW D.PUBLIC.V X false")
	l.exec(`CREATE OR REPLACE VIEW V AS SELECT A FROM T`)
	want(`SHOW GRANTS ON VIEW V`, "OWNERSHIP VIEW D.PUBLIC.V ACCOUNTADMIN true")
	l.exec(`GRANT SELECT ON TABLE T TO ROLE "q r"`)
	l.exec(`ALTER TABLE T RENAME TO "u v"`)
	want(`SHOW GRANTS TO ROLE "q r"`, `SELECT TABLE D.PUBLIC."u v" q r false`)
	l.exec(`ALTER TABLE "u v" RENAME TO U`)
	want(`SHOW GRANTS TO ROLE "r"`, "EVOLVE SCHEMA TABLE D.PUBLIC.U r false")
	l.exec(`DROP DATABASE D`)
	want(`SHOW GRANTS TO ROLE X`, "EXECUTE TASK ACCOUNT LOCAL X false")

	l.exec(`CREATE DATABASE D`)
	l.fails(2003, "does not exist", `GRANT SELECT ON TABLE T TO ROLE X`)
	l.fails(2003, "does not exist", `SHOW GRANTS ON TABLE T`)
	l.fails(3008, "Invalid privilege 'SELECT'", `GRANT SELECT ON DATABASE D TO ROLE X`)
	for stmt, what := range map[string]string{
		`GRANT OWNERSHIP ON DATABASE D TO ROLE X`:                 "GRANT OWNERSHIP",
		`GRANT ROLE A TO ROLE B`:                                  "GRANT ROLE",
		`GRANT ALL ON DATABASE D TO ROLE X`:                       "GRANT ALL",
		`GRANT SELECT ON ALL TABLES IN SCHEMA D.PUBLIC TO ROLE X`: "ALL objects",
		`GRANT SELECT ON FUTURE TABLES IN DATABASE D TO ROLE X`:   "FUTURE objects",
		`GRANT USAGE ON DATABASE D TO SHARE S`:                    "SHARE",
		`GRANT USAGE ON DATABASE D TO DATABASE ROLE D.R`:          "DATABASE",
		`SHOW GRANTS OF ROLE X`:                                   "SHOW GRANTS OF",
		`CREATE ROLE X`:                                           "ROLE objects",
	} {
		l.fails(2, what, stmt)
	}
}
