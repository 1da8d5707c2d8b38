package kafka_test

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"mkt/providers"
)

// ACLs that may not be seen are not missing.
func TestACLsThatMayNotBeSeen(t *testing.T) {
	for _, tc := range []struct {
		err  *kerr.Error
		code providers.Code
		hint string
	}{
		{kerr.ClusterAuthorizationFailed, providers.Denied, "Describe and Alter on the cluster"},
		{kerr.SecurityDisabled, providers.Invalid, "authorizer.class.name"},
	} {
		c, conn := fake(t)
		c.ControlKey(int16(kmsg.DescribeACLs), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			resp := req.ResponseKind().(*kmsg.DescribeACLsResponse)
			resp.ErrorCode = tc.err.Code
			return resp, nil, true
		})
		r := provider(t, conn).Resource("kafka_acl")
		got := r.Read(within(t, 20*time.Second), []providers.Ref{{ID: "TOPIC|t|LITERAL|User:u|*|READ|ALLOW"}})[0]
		if d := providers.Detail(got.Err); d == nil || d.Code != tc.code || !strings.Contains(d.Hint, tc.hint) {
			t.Errorf("%v: read as %#v, %+v", tc.err, got.State, got.Err)
		}
	}
}
