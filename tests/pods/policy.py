#!/usr/bin/python3
"""policy: checks rendered manifests (kubectl kustomize DIR | policy.py NAME) for what no schema says.

- pods: the rules of Kubernetes' Pod Security Standard "restricted", and rayc's: a read-only root, limits, no token of
  the API server, an image with a version;
- what is named is there: config maps, secrets (those that scripts make are in MADE), ports, services;
- the network: who can connect to whom is FLOWS[NAME], by the rules of NetworkPolicy, and nobody else;
- the pods fit into the namespace's quota, and into the machine that the overlay is for (CPUS[NAME],
  FIRST[NAME]).

Prints one line per fault; exit status 1 if there is one.
"""

import ipaddress
import itertools
import sys

import yaml

MADE = {"rayc-keys", "rayc-env", "rayc-metrics", "grafana-admin"}

# Who is no pod of these manifests: what their policies know of him.  A person's address may be any.
OUTSIDE = {
    "internet": {"ip": "93.184.216.34"},
    "neighbour": {"ip": "10.1.2.3"},
    "person": {"ip": "10.1.2.3"},
    "ingress": {"ip": "10.1.2.4", "namespace": {"kubernetes.io/metadata.name": "ingress-nginx"},
                "labels": {"app.kubernetes.io/component": "controller"}},
    "dns": {"ip": "10.1.2.5", "namespace": {"kubernetes.io/metadata.name": "kube-system"}, "labels": {"k8s-app": "kube-dns"},
            "ports": [53]},
}
SENDERS, RECEIVERS = {"person", "ingress"}, {"internet", "neighbour", "dns"}
# Pods that a person may run in the namespace.
OTHERS = {
    "client": {"app.kubernetes.io/name": "rayc", "app.kubernetes.io/component": "client"},
    "other": {"app": "other"},
}
NAMESPACE = {"kubernetes.io/metadata.name": "rayc"}

BASE = {*itertools.product(("worker", "client"), ("head",), (6399, 8265)),
        *itertools.product(("worker", "client"), ("worker",), (6400,)),
        *itertools.product(("head", "worker", "client", "other"), ("dns",), (53,))}
MINIKUBE = BASE | {*itertools.product(("person", "ingress"), ("head",), (6399, 8265)), ("worker", "internet", 443)}
MONITORING = {("prometheus", "head", 8265), ("prometheus", "worker", 8266), ("grafana", "prometheus", 9090),
              ("prometheus", "dns", 53), ("grafana", "dns", 53)}
FLOWS = {
    "minikube": MINIKUBE,
    "two-node": MINIKUBE,
    "monitoring": MINIKUBE | MONITORING | {("person", "grafana", 3000), ("ingress", "grafana", 3000)},
    "production": BASE | MONITORING | {("ingress", "head", 8265)},
}
# What Kubernetes' own pods ask for on the first node, and Calico's on each.
SYSTEM, CALICO = 0.75, 0.25
# Of all nodes together, and of the first, where the head is and one worker; of the smallest that the documents name.
CPUS = {"minikube": 6 - SYSTEM - CALICO, "monitoring": 6 - SYSTEM - CALICO, "two-node": 4 - SYSTEM - 2 * CALICO}
FIRST = {"two-node": 2 - SYSTEM - CALICO}

faults = []


def fault(what, why):
    faults.append(f"{what}: {why}")


def quantity(text):
    """A number as Kubernetes writes it: 500m, 2Gi."""
    for suffix, factor in {"m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}.items():
        if str(text).endswith(suffix):
            return float(str(text)[:-len(suffix)]) * factor
    return float(text)


# --- pods -----------------------------------------------------------------------------------------------------------

def workloads(objects):
    return [o for o in objects if o["kind"] in ("StatefulSet", "Deployment")]


def check_security(name, pod):
    context = pod.get("securityContext", {})
    volumes = {kind for volume in pod.get("volumes", []) for kind in volume if kind != "name"}
    if not volumes <= {"configMap", "emptyDir", "secret", "persistentVolumeClaim", "projected", "downwardAPI", "csi", "ephemeral"}:
        fault(name, f"volumes of a kind that restricted forbids: {volumes}")
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            fault(name, key)
    if pod.get("automountServiceAccountToken") is not False:
        fault(name, "has a token of the API server")
    for container in pod.get("initContainers", []) + pod["containers"]:
        own = container.get("securityContext", {})
        both = {**context, **own}
        rules = {
            "runAsNonRoot": both.get("runAsNonRoot") is True,
            "runAsUser": both.get("runAsUser", 0) > 0,
            "seccompProfile": both.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
            "privileged": not own.get("privileged"),
            "hostPort": not any("hostPort" in port for port in container.get("ports", [])),
            "requests and limits": {*container["resources"]["requests"], *container["resources"]["limits"]} == {"cpu", "memory"},
            "image's version": ":" in container["image"] and not container["image"].endswith(":latest"),
            "imagePullPolicy": container.get("imagePullPolicy") == "IfNotPresent",
        }
        for rule, holds in rules.items():
            if not holds:
                fault(f"{name}/{container['name']}", rule)


def check_names(objects):
    there = {(o["kind"], o["metadata"]["name"]) for o in objects} | {("Secret", name) for name in MADE}
    for workload in workloads(objects):
        name, pod = workload["metadata"]["name"], workload["spec"]["template"]["spec"]
        wanted = [("Service", workload["spec"]["serviceName"])] if "serviceName" in workload["spec"] else []
        wanted += [("ConfigMap", v["configMap"]["name"]) for v in pod.get("volumes", []) if "configMap" in v]
        wanted += [("Secret", v["secret"]["secretName"]) for v in pod.get("volumes", []) if "secret" in v]
        for container in pod["containers"]:
            for source in container.get("envFrom", []):
                wanted += [(kind, source[key]["name"]) for kind, key in
                           (("ConfigMap", "configMapRef"), ("Secret", "secretRef")) if key in source]
            volumes = {v["name"] for v in pod.get("volumes", []) + [{"name": claim["metadata"]["name"]} for claim in
                                                                    workload["spec"].get("volumeClaimTemplates", [])]}
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    fault(name, f"no volume {mount['name']}")
        for one in wanted:
            if one not in there:
                fault(name, f"no {one[0]} {one[1]}")
    for service in (o for o in objects if o["kind"] == "Service"):
        pods = [w for w in workloads(objects) if matches({"matchLabels": service["spec"]["selector"]}, labels_of(w))]
        for port in service["spec"]["ports"]:
            if not pods or not all(port_of(w, port["targetPort"]) for w in pods):
                fault(service["metadata"]["name"], f"selects no pod with a port {port['targetPort']}")
    for secret in (o for o in objects if o["kind"] == "Secret"):
        fault(secret["metadata"]["name"], "a secret in manifests")


def check_room(name, objects):
    asked, first = {"cpu": 0.0, "memory": 0.0}, 0.0
    for workload in workloads(objects):
        for container in workload["spec"]["template"]["spec"]["containers"]:
            first += quantity(container["resources"]["requests"]["cpu"])
            for resource in asked:
                asked[resource] += workload["spec"]["replicas"] * quantity(container["resources"]["requests"][resource])
    for quota in (o["spec"]["hard"] for o in objects if o["kind"] == "ResourceQuota"):
        for resource, sum_ in asked.items():
            if sum_ > quantity(quota[f"requests.{resource}"]):
                fault("quota", f"pods ask for more {resource} than it has")
    if asked["cpu"] > CPUS.get(name, 1e9) + 1e-9:
        fault(name, f"pods ask for {asked['cpu']:g} CPUs, its machine has {CPUS[name]:g}")
    if first > FIRST.get(name, 1e9) + 1e-9:
        fault(name, f"head and worker ask for {first:g} CPUs, the first node has {FIRST[name]:g}")


# --- the network ----------------------------------------------------------------------------------------------------

def labels_of(workload):
    return workload["spec"]["template"]["metadata"]["labels"]


def port_of(workload, port):
    """The number of a port of its container that is named or numbered so."""
    for container in workload["spec"]["template"]["spec"]["containers"]:
        for one in container.get("ports", []):
            if port in (one.get("name"), one["containerPort"]):
                return one["containerPort"]
    return None


def matches(selector, labels):
    return all(labels.get(k) == v for k, v in selector.get("matchLabels", {}).items()) and all(
        e["operator"] == "In" and labels.get(e["key"]) in e["values"] for e in selector.get("matchExpressions", []))


def is_peer(peer, party):
    if "ipBlock" in peer:
        address = ipaddress.ip_address(party["ip"])
        return address in ipaddress.ip_network(peer["ipBlock"]["cidr"]) and not any(
            address in ipaddress.ip_network(no) for no in peer["ipBlock"].get("except", []))
    if "namespaceSelector" in peer:
        if not matches(peer["namespaceSelector"], party.get("namespace", {})):
            return False
    elif party.get("namespace") != NAMESPACE:
        return False
    return "labels" in party and matches(peer.get("podSelector", {}), party["labels"])


def allows(policies, direction, of, peer, port):
    """Do the policies that select one party let the other connect, to that port of the receiver?"""
    if of.get("namespace") != NAMESPACE:
        return True
    receiver = of if direction == "Ingress" else peer
    key, side = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    isolating = [p for p in policies if direction in p["policyTypes"] and matches(p["podSelector"], of["labels"])]
    for rule in itertools.chain.from_iterable(p.get(key, []) for p in isolating):
        ports = {receiver.get("names", {}).get(one["port"], one["port"]) for one in rule.get("ports", [])}
        if (side not in rule or any(is_peer(one, peer) for one in rule[side])) and (not ports or port in ports):
            return True
    return not isolating


def check_flows(name, objects):
    policies = [o["spec"] for o in objects if o["kind"] == "NetworkPolicy"]
    parties = dict(OUTSIDE)
    for who, labels in OTHERS.items():
        parties[who] = {"ip": "10.244.0.9", "namespace": NAMESPACE, "labels": labels}
    for workload in workloads(objects):
        ports = [port for c in workload["spec"]["template"]["spec"]["containers"] for port in c.get("ports", [])]
        parties[workload["metadata"]["name"].removeprefix("rayc-")] = {
            "ip": "10.244.0.8", "namespace": NAMESPACE, "labels": labels_of(workload),
            "ports": [p["containerPort"] for p in ports], "names": {p["name"]: p["containerPort"] for p in ports}}
    found = set()
    for (a, sender), (b, receiver) in itertools.product(parties.items(), repeat=2):
        if a in RECEIVERS or b in SENDERS or (a in OUTSIDE and b in OUTSIDE):
            continue
        for port in receiver.get("ports", [22, 80, 443, 6443]):
            if allows(policies, "Egress", sender, receiver, port) and allows(policies, "Ingress", receiver, sender, port):
                found.add((a, b, port))
    for a, b, port in sorted(found - FLOWS[name]):
        fault("network", f"{a} can connect to {b}:{port}")
    for a, b, port in sorted(FLOWS[name] - found):
        fault("network", f"{a} cannot connect to {b}:{port}")


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in FLOWS:
        sys.exit(f"usage: policy.py {' | '.join(FLOWS)} <MANIFESTS")
    objects = [o for o in yaml.safe_load_all(sys.stdin) if o]
    for workload in workloads(objects):
        check_security(workload["metadata"]["name"], workload["spec"]["template"]["spec"])
    check_names(objects)
    check_room(sys.argv[1], objects)
    check_flows(sys.argv[1], objects)
    print("\n".join(faults) if faults else f"{sys.argv[1]}: {len(objects)} objects, {len(FLOWS[sys.argv[1]])} flows")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
