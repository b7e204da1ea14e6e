// Only files of these modules are used, so nothing is built and nothing else is required.
module local-cluster/crds

go 1.24

require (
	github.com/cert-manager/cert-manager v1.21.1
	github.com/traefik/traefik/v3 v3.7.9
)
