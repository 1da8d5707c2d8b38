package warehouse

import (
	"os"
	"path/filepath"
)

// consentFile is the switch of tests: while it is there, nobody has opened a queue to the integrations.
const consentFile = "no-consent"

// consented says whether notification integrations may read their queues.
func (w *Warehouse) consented() bool {
	_, err := os.Stat(filepath.Join(w.cfg.Dir, consentFile))
	return err != nil
}

// errNoConsent is what CREATE PIPE answers while the integration's service principal may not read the queue. People report
// the text in these words (Terraform with Snowflake on Azure); its number is documented nowhere.
func errNoConsent() *sqlError {
	return &sqlError{Code: "000603", State: "XX000", Msg: `SQL compilation error:
Pipe Notifications bind failure "Internal error, could not locate queue"`}
}
