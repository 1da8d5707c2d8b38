package providers

import (
	"net"

	"github.com/dustin/go-humanize"
)

// Plural writes "1 row" or "50,568 rows".
func Plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return humanize.Comma(n) + " " + noun + "s"
}

// Loopback tells whether a host, a name or an address, is this machine: what is sent there in clear goes over no network.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
