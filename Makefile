# Makefile: what KubeRay's and TrainingDemo's people type, and the script that does it.  Each has --help.
#     make build deploy check-status exec-head proxy
# Settings go by environment: make deploy WORKERS=5.  rayc itself is built by scripts/build and CMake.
.PHONY: help prerequisites cluster build deploy check-status exec-head proxy dashboard monitoring clean-monitoring \
	benchmark delete clean test
.EXPORT_ALL_VARIABLES:

help:
	@sed -n 's/^\([a-z-]*\):.*##/\1	/p' Makefile

prerequisites:    ## kubectl, minikube, docker or podman
	scripts/install-prerequisites
cluster:          ## a Minikube (NODES=2: two nodes)
	scripts/setup-minikube
build:            ## the image, by docker or podman, unless there is one
	scripts/install-rayc --only-image
deploy:           ## rayc on the cluster
	scripts/install-rayc
check-status:     ## is all of it ready?
	scripts/check-status
exec-head:        ## a shell in the head's pod
	scripts/exec-head
proxy:            ## ports of this machine: 8265, 6399, 9090, 3000
	scripts/proxy
dashboard:        ## addresses of Grafana and rayc
	scripts/open-dashboard
monitoring:       ## Prometheus and Grafana
	scripts/setup-monitoring
clean-monitoring: ## without them
	scripts/clean-monitoring
benchmark:        ## parallel_compute on 1, 2, 3 workers
	scripts/run-benchmark
delete:           ## rayc off the cluster, with its volume
	scripts/cleanup --yes
clean:            ## the Minikube, too
	scripts/cleanup --yes --minikube
test:             ## rayc's own tests, on this machine
	scripts/test
