// CoreDNS with only the plugins that a cluster's own DNS needs.
// How to choose plugins at compile time: https://coredns.io/2017/07/25/compile-time-enabling-or-disabling-plugins/
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

func init() {
	// In this order a query passes them.
	dnsserver.Directives = []string{"errors", "health", "ready", "template", "kubernetes"}
}

func main() {
	coremain.Run()
}
