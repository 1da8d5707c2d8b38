package warehouse

import "testing"

// A stage keeps that its files are encrypted, never the key, and its files are refused by name: nothing here decrypts.
func TestStageEncryption(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	const key = "MDEyMzQ1Njc4OTAxMjM0NQ=="
	shown := func(want string) {
		t.Helper()
		_, rows := l.table(`SHOW STAGES`)
		if len(rows) != 1 || rows[0]["has_encryption_key"] != want {
			t.Errorf("has_encryption_key is not %s: %v", want, rows)
		}
	}
	shown("N")
	l.exec(`ALTER STAGE LANDING SET ENCRYPTION = (TYPE = 'AZURE_CSE' MASTER_KEY = '` + key + `')`)
	shown("Y")
	l.put("a.json", []byte(`{}`))
	l.fails(2, "AZURE_CSE", `COPY INTO PRICES FROM @LANDING MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE`)
	l.exec(`ALTER STAGE LANDING SET ENCRYPTION = (TYPE = 'NONE')`)
	shown("N")
	l.exec(`ALTER STAGE LANDING SET ENCRYPTION = (MASTER_KEY = '` + key + `')`) // the type follows
	shown("Y")
	for _, bad := range []string{`TYPE = 'AZURE_CSE'`, `TYPE = 'AZURE_CSE' MASTER_KEY = 'c2hvcnQ='`, `TYPE = 'NONE' MASTER_KEY = '` + key + `'`} {
		l.fails(1008, "MASTER_KEY", `ALTER STAGE LANDING SET ENCRYPTION = (`+bad+`)`)
	}
	l.fails(2, "AWS_CSE", `ALTER STAGE LANDING SET ENCRYPTION = (TYPE = 'AWS_CSE' MASTER_KEY = '`+key+`')`)
}

func TestErrorIntegration(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	l.exec(`CREATE NOTIFICATION INTEGRATION OUT_OF_HERE ENABLED = TRUE TYPE = QUEUE DIRECTION = OUTBOUND NOTIFICATION_PROVIDER = AZURE_EVENT_GRID
		AZURE_EVENT_GRID_TOPIC_ENDPOINT = 'https://t.westeurope-1.eventgrid.azure.net/api/events' AZURE_TENANT_ID = '11111111-2222-3333-4444-555555555555'`)
	shown := func(want string) {
		t.Helper()
		if _, rows := l.table(`SHOW PIPES`); len(rows) != 1 || rows[0]["error_integration"] != want {
			t.Errorf("error_integration is not %q: %v", want, rows)
		}
	}
	shown("NULL")
	l.exec(`ALTER PIPE PRICES_IN SET ERROR_INTEGRATION = OUT_OF_HERE`)
	shown("OUT_OF_HERE")
	l.exec(`ALTER PIPE PRICES_IN UNSET ERROR_INTEGRATION`)
	shown("NULL")
	l.fails(2003, "EVENTS", `ALTER PIPE PRICES_IN SET ERROR_INTEGRATION = EVENTS`) // it leads in
	l.fails(2003, "NONE_SUCH", `ALTER PIPE PRICES_IN SET ERROR_INTEGRATION = NONE_SUCH`)
	l.fails(2003, "OUT_OF_HERE", `CREATE PIPE P2 AUTO_INGEST = TRUE INTEGRATION = 'OUT_OF_HERE' AS COPY INTO PRICES FROM @LANDING MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE`)
	l.fails(1008, "DIRECTION", `CREATE NOTIFICATION INTEGRATION X ENABLED = TRUE TYPE = QUEUE DIRECTION = SIDEWAYS NOTIFICATION_PROVIDER = AZURE_EVENT_GRID AZURE_TENANT_ID = 'a'`)
	if _, rows := l.table(`DESC INTEGRATION OUT_OF_HERE`); len(rows) == 0 || rows[1]["property_value"] != "OUTBOUND" {
		t.Errorf("DESC INTEGRATION: %v", rows)
	}
}
