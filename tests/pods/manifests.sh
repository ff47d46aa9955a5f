#!/usr/bin/env bash
# manifests: every overlay is rendered by kubectl and follows tests/pods/policy.py, which is seen to find what is wrong.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/../system/lib.sh" "$1"
root=$(realpath "$(dirname "$0")/../..")
policy=$root/tests/pods/policy.py
kustomize=$(kubectl version --client -o json 2>/dev/null | jq -r .kustomizeVersion)
if [[ $kustomize != v[0-9]* ]]; then
    echo "manifests: skipped: no kubectl with Kustomize (1.21 or later)"
    exit 77
fi

# Monitoring is put beside what the overlay of Minikube has made.
rendered() { # NAME
    kubectl kustomize "$root/k8s/overlays/$1"
    if [[ $1 == monitoring ]]; then
        echo ---
        kubectl kustomize "$root/k8s/overlays/minikube"
    fi
}
# policy NAME CODE [SED SCRIPT]: what policy.py says of the overlay, changed.
check() {
    sed -E "${3:-}" "$WORK/$1.yaml" >"$WORK/changed.yaml"
    expect "$2" bash -c "'$policy' $1 <'$WORK/changed.yaml'"
}

note "overlays, with Kustomize $kustomize"
for overlay in "$root"/k8s/overlays/*/; do
    name=$(basename "$overlay")
    rendered "$name" >"$WORK/$name.yaml" || fail "$name cannot be rendered"
    check "$name" 0
done
# One name, in three places.
[[ $(grep -c 'rayc\.example\.org' "$WORK/production.yaml") == 3 ]] || fail "the host's name is not where it belongs"
[[ $(grep -cE '^ +image: rayc:' "$WORK/minikube.yaml") == 2 ]] || fail "not two images of rayc"
version=$("$RAYC" version | sed -n 's/^rayc \([0-9.]*\).*/\1/p')
[[ $(grep -cE "^ +image: rayc:$version\$" "$WORK/minikube.yaml") == 2 ]] || fail "the image is not rayc:$version"
# Pods of another policy that never became ready are not replaced by those of a set that has been put right.
[[ $(grep -c '^  podManagementPolicy: Parallel' "$WORK/minikube.yaml") == 2 ]] || fail "not all sets replace pods that cannot start"
# Minikube's provisioner makes volumes that uid 10001 can write on its first node only.
grep -A1 '^      nodeSelector:' "$WORK/two-node.yaml" | grep -q 'minikube.k8s.io/primary: "true"' || fail "two-node: the head may be on any node"

note "faults are found"
while IFS='|' read -r overlay change wanted; do
    check "$overlay" 1 "$change"
    has out "$wanted"
done <<'TABLE'
minikube|s/runAsNonRoot: true/runAsNonRoot: false/|runAsNonRoot
minikube|s/readOnlyRootFilesystem: true/readOnlyRootFilesystem: false/|readOnlyRootFilesystem
minikube|s/allowPrivilegeEscalation: false/allowPrivilegeEscalation: true/|allowPrivilegeEscalation
minikube|s/type: RuntimeDefault/type: Unconfined/|seccompProfile
minikube|s/- ALL$/- NET_RAW/|capabilities
minikube|s/^( +image: rayc):.*/\1:latest/|image's version
minikube|s/name: rayc-env/name: rayc-none/|no Secret rayc-none
minikube|s/targetPort: zmq/targetPort: zmk/|selects no pod with a port zmk
minikube|s/cpu: "1"/cpu: "2"/|its machine has
monitoring|s/cpu: 50m/cpu: 550m/|its machine has
two-node|s/cpu: 250m/cpu: 550m/|the first node has
production|s/kubernetes.io\/component: client/kubernetes.io\/component: none/|client cannot connect to head:6399
minikube|s/- worker$/- head/|worker cannot connect to head:8265
minikube|s/name: deny-all/&\n  annotations: {}/; s/- 10.0.0.0\/8/- 11.0.0.0\/8/|worker can connect to neighbour:443
production|s/metadata.name: ingress-nginx/metadata.name: other/|ingress cannot connect to head:8265
production|s/^  - Egress$/  - Ingress/|other can connect to internet:443
minikube|s/port: 6400/port: 6401/|worker cannot connect to worker:6400
monitoring|s/port: 8266/port: 8267/|prometheus cannot connect to worker:8266
TABLE
