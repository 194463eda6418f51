"""The main job seen through unmodified kubectl: a deployment's whole life, apply and diff, describing, editing."""

import json
import re

from harness import Failure

NODES = 2
TOPOLOGIES = ("stacked", "external", "external-tripod")
VARIANTS = ["kubectl-1.32", "kubectl-1.36"]


def make_web(t, namespace, replicas=3):
    t.kubectl("create", "deployment", "web", "--image=nginx", f"--replicas={replicas}", "-n", namespace)
    t.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=60s", timeout=70)


def pods(t, namespace):
    return t.kubectl("get", "pods", "-n", namespace, "-o", "json").json()["items"]


def images(t, namespace):
    return sorted(p["spec"]["containers"][0]["image"] for p in pods(t, namespace)
                  if not p["metadata"].get("deletionTimestamp"))


def test_get_nodes(t):
    def two_ready():
        lines = t.kubectl("get", "nodes", "--no-headers").out.splitlines()
        assert len(lines) == 2 and all(line.split()[1] == "Ready" for line in lines), lines
        return True
    t.eventually("two nodes are Ready", two_ready)
    wide = t.kubectl("get", "nodes", "-o", "wide").out
    assert wide.split()[:5] == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"], wide


def test_version(t):
    answer = t.kubectl("version", "-o", "json").json()
    assert re.fullmatch(r"v1\.\d+\.\d+.*", answer["serverVersion"]["gitVersion"]), answer


def test_create_deployment_and_watch_pods(t):
    namespace = t.namespace()
    watch = t.kubectl_background("get", "pods", "-o", "wide", "-w", "-n", namespace)
    made = t.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=3", "-n", namespace)
    assert made.out.strip() == "deployment.apps/web created", made
    done = t.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=60s", timeout=70)
    assert 'deployment "web" successfully rolled out' in done.out, done

    def three_running():
        running = {n.split()[0] for n in watch.lines if re.search(r"\s1/1\s+Running\s", n)}
        return len(running) == 3
    t.eventually("the watch shows three running pods", three_running, 20)
    text = "\n".join(watch.stop())
    assert watch.lines[0].split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"], text
    assert "Pending" in text, text
    for line in t.kubectl("get", "pods", "-o", "wide", "--no-headers", "-n", namespace).out.splitlines():
        name, ready, status, _, _, ip, node = line.split()[:7]
        assert re.fullmatch(r"web-[0-9a-z]+-[0-9a-z]{5}", name), line
        assert (ready, status) == ("1/1", "Running"), line
        assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", ip) and node != "<none>", line


def test_scale(t):
    namespace = t.namespace()
    make_web(t, namespace, 1)
    for count in (4, 2):
        t.kubectl("scale", "deployment/web", f"--replicas={count}", "-n", namespace)
        t.eventually(f"{count} pods", lambda c=count: len(pods(t, namespace)) == c)
        t.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=60s", timeout=70)
    done = t.kubectl("scale", "deployment/web", "--current-replicas=7", "--replicas=1", "-n", namespace, check=False)
    assert done.code != 0 and "Expected replicas to be 7, was 2" in done.err, done


def test_set_image_rolls_and_undo_rolls_back(t):
    namespace = t.namespace()
    make_web(t, namespace)
    t.kubectl("set", "image", "deployment/web", "nginx=nginx:1.27", "-n", namespace)
    done = t.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=60s", timeout=70)
    assert "successfully rolled out" in done.out, done
    t.eventually("only new pods", lambda: images(t, namespace) == ["nginx:1.27"] * 3)
    assert len(t.kubectl("get", "rs", "--no-headers", "-n", namespace).out.splitlines()) == 2
    history = t.kubectl("rollout", "history", "deployment/web", "-n", namespace).out
    assert re.findall(r"^(\d+) ", history, re.MULTILINE) == ["1", "2"], history

    undone = t.kubectl("rollout", "undo", "deployment/web", "-n", namespace)
    assert undone.out.strip() == "deployment.apps/web rolled back", undone
    t.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=60s", timeout=70)
    t.eventually("only old pods", lambda: images(t, namespace) == ["nginx"] * 3)
    history = t.kubectl("rollout", "history", "deployment/web", "-n", namespace).out
    assert re.findall(r"^(\d+) ", history, re.MULTILINE) == ["2", "3"], history


def test_rollout_restart_pause_resume(t):
    namespace = t.namespace()
    make_web(t, namespace, 1)
    t.kubectl("rollout", "pause", "deployment/web", "-n", namespace)
    t.kubectl("set", "image", "deployment/web", "nginx=nginx:1.28", "-n", namespace)
    t.kubectl("rollout", "resume", "deployment/web", "-n", namespace)
    t.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=60s", timeout=70)
    t.eventually("the new pod", lambda: images(t, namespace) == ["nginx:1.28"])
    before = pods(t, namespace)[0]["metadata"]["name"]
    t.kubectl("rollout", "restart", "deployment/web", "-n", namespace)
    t.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=60s", timeout=70)
    t.eventually("another pod", lambda: before not in [p["metadata"]["name"] for p in pods(t, namespace)])


def test_describe_pod_and_events(t):
    namespace = t.namespace()
    make_web(t, namespace, 1)
    name = pods(t, namespace)[0]["metadata"]["name"]

    def described():
        text = t.kubectl("describe", "pod", name, "-n", namespace).out
        for wanted in (f"Name:             {name}", "Status:           Running", "Controlled By:  ReplicaSet/web-",
                       "Image:          nginx", "Scheduled"):
            assert wanted in text, f"no `{wanted}` in\n{text}"
        return True
    t.eventually("describe tells the pod's story", described, 15)
    t.eventually("an event of the scheduler", lambda: "Scheduled" in t.kubectl("get", "events", "-n", namespace).out, 15)
    reasons = t.kubectl("get", "events", "-n", namespace, "-o", "jsonpath={.items[*].reason}").out.split()
    assert {"Scheduled", "SuccessfulCreate", "ScalingReplicaSet"} <= set(reasons), reasons
    for kind in ("deployment/web", "node"):
        assert "Name:" in t.kubectl("describe", kind, "-n", namespace).out
    assert "Scheduled" in t.kubectl("events", "-n", namespace).out


def test_label_annotate_edit(t):
    namespace = t.namespace()
    t.kubectl("create", "configmap", "settings", "--from-literal=color=red", "-n", namespace)
    t.kubectl("label", "configmap", "settings", "tier=front", "-n", namespace)
    t.kubectl("annotate", "configmap", "settings", "note=hello world", "-n", namespace)
    done = t.kubectl("label", "configmap", "settings", "tier=back", "-n", namespace, check=False)
    assert done.code != 0 and "'tier' already has a value (front)" in done.err, done
    t.kubectl("label", "configmap", "settings", "tier=back", "--overwrite", "-n", namespace)
    found = t.kubectl("get", "configmap", "-l", "tier=back", "-o", "name", "-n", namespace).out
    assert found.strip() == "configmap/settings", found
    assert t.kubectl("get", "configmap", "-l", "tier notin (back),tier", "-o", "name", "-n", namespace).out == ""

    editor = t.write("editor.sh", "#!/bin/sh\nsed -i 's/color: red/color: blue/' \"$1\"\n")
    editor.chmod(0o755)
    t.kubectl("edit", "configmap", "settings", "-n", namespace, env={"KUBE_EDITOR": str(editor), "EDITOR": str(editor)})
    data = t.kubectl("get", "configmap", "settings", "-o", "json", "-n", namespace).json()
    assert data["data"] == {"color": "blue"}, data
    assert data["metadata"]["annotations"]["note"] == "hello world", data
    t.kubectl("label", "configmap", "settings", "tier-", "-n", namespace)
    assert "tier" not in t.kubectl("get", "configmap", "settings", "-o", "json", "-n", namespace).json()["metadata"].get(
        "labels", {})


MANIFEST = """apiVersion: v1
kind: ConfigMap
metadata:
  name: page
data:
  title: "{title}"
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: site
  labels: {{app: site}}
spec:
  replicas: {replicas}
  selector:
    matchLabels: {{app: site}}
  template:
    metadata:
      labels: {{app: site}}
    spec:
      containers:
      - name: web
        image: nginx
        ports:
        - containerPort: 80
        env:
        - {{name: TITLE, valueFrom: {{configMapKeyRef: {{name: page, key: title}}}}}}
        resources:
          requests: {{cpu: 50m, memory: 16Mi}}
---
apiVersion: v1
kind: Service
metadata:
  name: site
spec:
  selector: {{app: site}}
  ports:
  - port: 80
    targetPort: 80
"""


def test_apply_diff_delete(t):
    namespace = t.namespace()
    manifest = t.write("site.yaml", MANIFEST.format(title="one", replicas=2))
    first = t.kubectl("apply", "-f", manifest, "-n", namespace)
    assert first.out.splitlines() == ["configmap/page created", "deployment.apps/site created", "service/site created"], first
    t.kubectl("rollout", "status", "deployment/site", "-n", namespace, "--timeout=60s", timeout=70)
    again = t.kubectl("apply", "-f", manifest, "-n", namespace)
    assert [line.split()[-1] for line in again.out.splitlines()] == ["unchanged"] * 3, again
    same = t.kubectl("diff", "-f", manifest, "-n", namespace, check=False)
    assert same.code == 0, same

    manifest = t.write("site.yaml", MANIFEST.format(title="two", replicas=3))
    differs = t.kubectl("diff", "-f", manifest, "-n", namespace, check=False)
    assert differs.code == 1, differs
    assert "-  title: one" in differs.out and "+  title: two" in differs.out, differs
    assert "-  replicas: 2" in differs.out and "+  replicas: 3" in differs.out, differs
    changed = t.kubectl("apply", "-f", manifest, "-n", namespace)
    assert [line.split()[-1] for line in changed.out.splitlines()] == ["configured", "configured", "unchanged"], changed
    t.eventually("three pods", lambda: len(pods(t, namespace)) == 3)
    dry = t.kubectl("apply", "-f", manifest, "--dry-run=server", "-n", namespace)
    assert "unchanged (server dry run)" in dry.out, dry

    gone = t.kubectl("delete", "-f", manifest, "-n", namespace)
    assert len(gone.out.splitlines()) == 3 and "deleted" in gone.out, gone
    t.eventually("the pods are collected", lambda: not pods(t, namespace))
    assert not t.kubectl("get", "rs", "-n", namespace, "-o", "name").out


def test_apply_rejects_unknown_and_wrong_fields(t):
    namespace = t.namespace()
    wrong = t.write("wrong.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndatas: {a: b}\n")
    done = t.kubectl("apply", "-f", wrong, "-n", namespace, check=False)
    assert done.code != 0 and 'unknown field "datas"' in done.err, done
    bad = t.write("bad.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: Bad_Name}\nspec: {ports: [{port: 70000}]}\n")
    done = t.kubectl("create", "-f", bad, "-n", namespace, check=False)
    assert done.code != 0 and "is invalid:" in done.err, done
    assert "metadata.name" in done.err and "spec.ports[0].port" in done.err, done


def test_expose(t):
    namespace = t.namespace()
    make_web(t, namespace, 2)
    t.kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080", "-n", namespace)
    service = t.kubectl("get", "service", "web", "-o", "json", "-n", namespace).json()
    assert re.fullmatch(r"10\.96\.\d+\.\d+", service["spec"]["clusterIP"]), service
    assert service["spec"]["clusterIPs"] == [service["spec"]["clusterIP"]], service
    assert service["spec"]["selector"] == {"app": "web"}, service
    assert service["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 8080}], service
    row = t.kubectl("get", "service", "web", "--no-headers", "-n", namespace).out.split()
    assert row[:2] == ["web", "ClusterIP"] and row[4] == "80/TCP", row


def test_create_configmap_and_secret(t):
    namespace = t.namespace()
    file = t.write("motd", "welcome\n")
    t.kubectl("create", "configmap", "cm", "--from-literal=a=1", f"--from-file={file}", "-n", namespace)
    assert t.kubectl("get", "cm", "cm", "-o", "json", "-n", namespace).json()["data"] == {"a": "1", "motd": "welcome\n"}
    t.kubectl("create", "secret", "generic", "key", "--from-literal=password=s3cret", "-n", namespace)
    secret = t.kubectl("get", "secret", "key", "-o", "json", "-n", namespace).json()
    assert secret["data"] == {"password": "czNjcmV0"} and secret["type"] == "Opaque", secret
    again = t.kubectl("create", "configmap", "cm", "-n", namespace, check=False)
    assert again.code != 0 and 'configmaps "cm" already exists' in again.err, again
    missing = t.kubectl("get", "cm", "nothing", "-n", namespace, check=False)
    assert missing.code != 0 and 'Error from server (NotFound): configmaps "nothing" not found' in missing.err, missing


def test_output_formats(t):
    namespace = t.namespace()
    make_web(t, namespace, 2)
    base = ["get", "deployment", "web", "-n", namespace, "-o"]
    assert "kind: Deployment" in t.kubectl(*base, "yaml").out
    assert t.kubectl(*base, "json").json()["kind"] == "Deployment"
    assert t.kubectl(*base, "name").out.strip() == "deployment.apps/web"
    assert t.kubectl(*base, "jsonpath={.spec.template.spec.containers[*].image}").out == "nginx"
    columns = t.kubectl(*base, "custom-columns=NAME:.metadata.name,WANT:.spec.replicas").out.splitlines()
    assert [c.split() for c in columns] == [["NAME", "WANT"], ["web", "2"]], columns
    header, row = t.kubectl("get", "deployment", "web", "-n", namespace).out.splitlines()
    assert header.split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"], header
    assert row.split()[:4] == ["web", "2/2", "2", "2"], row
    by_name = t.kubectl("get", "pods", "-n", namespace, "--sort-by=.metadata.name", "-o", "name").out.splitlines()
    assert len(by_name) == 2 and by_name == sorted(by_name), by_name
    assert len(t.kubectl("get", "all", "-n", namespace, "-o", "name").out.splitlines()) == 4  # 2 pods, rs, deployment
    chosen = t.kubectl("get", "pods", "-A", f"--field-selector=metadata.namespace={namespace},status.phase=Running", "-o",
                       "name")
    assert len(chosen.out.splitlines()) == 2, chosen
    chunked = t.kubectl("get", "pods", "-n", namespace, "--chunk-size=1", "-o", "name")
    assert len(chunked.out.splitlines()) == 2, chunked


def test_kind_that_does_not_exist(t):
    text = """{"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "d"}}"""
    for verb in ("apply", "create"):
        done = t.kubectl(verb, "-f", "-", stdin=text, check=False)
        assert done.code != 0 and 'no matches for kind "DaemonSet" in version "apps/v1"' in done.err, done


def test_explain(t):
    text = t.kubectl("explain", "pod.spec").out
    assert re.search(r"^KIND:\s+Pod$", text, re.MULTILINE), text
    assert re.search(r"^VERSION:\s+v1$", text, re.MULTILINE), text
    assert re.search(r"^\s+containers\s+<\[\]Container> -required-$", text, re.MULTILINE), text
    assert re.search(r"^\s+nodeSelector\s+<map\[string\]string>", text, re.MULTILINE), text
    deep = t.kubectl("explain", "deployment.spec.strategy.rollingUpdate").out
    assert re.search(r"^GROUP:\s+apps$", deep, re.MULTILINE) and "maxSurge" in deep, deep
    missing = t.kubectl("explain", "pod.spec.nothing", check=False)
    assert missing.code != 0 and 'field "nothing" does not exist' in missing.err, missing


KINDS = {
    "namespaces": "Namespace", "nodes": "Node", "pods": "Pod", "services": "Service", "endpoints": "Endpoints",
    "configmaps": "ConfigMap", "secrets": "Secret", "events": "Event", "serviceaccounts": "ServiceAccount",
    "replicationcontrollers": "ReplicationController", "deployments": "Deployment", "replicasets": "ReplicaSet",
    "leases": "Lease", "endpointslices": "EndpointSlice",
}


def test_api_resources(t):
    rows = [line.split() for line in t.kubectl("api-resources", "--no-headers").out.splitlines()]
    found = {row[0]: row[-1] for row in rows}
    assert {k: found.get(k) for k in KINDS} == KINDS, found
    short = {row[0]: row[1] for row in rows}
    assert short["pods"] == "po" and short["deployments"] == "deploy", short
    versions = t.kubectl("api-versions").out.split()
    assert {"v1", "apps/v1", "coordination.k8s.io/v1", "discovery.k8s.io/v1"} <= set(versions), versions
    namespaced = t.kubectl("api-resources", "--namespaced=false", "-o", "name").out.split()
    assert {"namespaces", "nodes"} <= set(namespaced) and "pods" not in namespaced, namespaced


def test_raw_paths(t):
    ready = t.kubectl("get", "--raw", "/readyz?verbose").out
    assert "readyz check passed" in ready and "[+]ping ok" in ready and "[+]etcd ok" in ready, ready
    assert t.kubectl("get", "--raw", "/livez/ping").out == "ok"
    assert json.loads(t.kubectl("get", "--raw", "/version").out)["major"] == "1"
    assert "apiserver_request_total" in t.kubectl("get", "--raw", "/metrics").out
    missing = t.kubectl("get", "--raw", "/nothing/here", check=False)
    assert missing.code != 0 and "the server could not find the requested resource" in missing.err, missing


def test_wait(t):
    namespace = t.namespace()
    t.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2", "-n", namespace)
    done = t.kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=60s", "-n", namespace, timeout=70)
    assert done.out.strip() == "deployment.apps/web condition met", done
    t.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=30s", "-n", namespace)
    t.kubectl("wait", "--for=jsonpath={.status.readyReplicas}=2", "deployment/web", "--timeout=30s", "-n", namespace)


def test_deleted_pods_come_back(t):
    namespace = t.namespace()
    make_web(t, namespace, 3)
    old = {p["metadata"]["uid"] for p in pods(t, namespace)}
    t.kubectl("delete", "pod", "--all", "-n", namespace, timeout=90)

    def replaced():
        now = pods(t, namespace)
        return len(now) == 3 and not old & {p["metadata"]["uid"] for p in now}
    t.eventually("three new pods", replaced)
    t.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=60s", timeout=70)


def test_delete_cascades(t):
    namespace = t.namespace()
    make_web(t, namespace, 1)
    t.kubectl("delete", "deployment", "web", "--cascade=orphan", "-n", namespace)
    sets = t.kubectl("get", "rs", "-n", namespace, "-o", "json").json()["items"]
    assert len(sets) == 1 and not sets[0]["metadata"].get("ownerReferences"), sets
    t.kubectl("delete", "rs", "--all", "--cascade=foreground", "-n", namespace, timeout=60)
    assert not pods(t, namespace)


def test_delete_namespace(t):
    namespace = t.namespace()
    make_web(t, namespace, 2)
    t.kubectl("create", "configmap", "cm", "-n", namespace)
    accounts = t.kubectl("get", "serviceaccounts", "-n", namespace, "-o", "name").out.split()
    assert "serviceaccount/default" in accounts, accounts
    t.kubectl("delete", "ns", namespace, "--timeout=60s", timeout=70)
    gone = t.kubectl("get", "ns", namespace, check=False)
    assert gone.code != 0 and "NotFound" in gone.err, gone
    left = t.etcdctl("get", "/registry/", "--prefix", "--keys-only").out
    if f"/{namespace}/" in left:
        raise Failure(f"left behind in the store:\n{left}")


def test_what_every_cluster_has(t):
    names = t.kubectl("get", "ns", "-o", "name").out.split()
    assert {f"namespace/{n}" for n in ("default", "kube-system", "kube-public", "kube-node-lease")} <= set(names), names
    service = t.kubectl("get", "service", "kubernetes", "-n", "default", "-o", "json").json()
    assert service["spec"]["clusterIP"] == "10.96.0.1", service


