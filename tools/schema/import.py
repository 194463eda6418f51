#!/usr/bin/env python3
"""Imports the facts of Kubernetes API types into the text tables of firmware/kube/schema.

    tools/schema/import.py --api DIR --apimachinery DIR --out firmware/kube/schema

DIR are checkouts of kubernetes/api and kubernetes/apimachinery. Only facts are taken over: names, types, protobuf
numbers and the tags that carry meaning; no descriptions. Run it by hand when moving to another Kubernetes version;
the build reads only the tables. Their format is described in firmware/kube/schema/README.md.
"""

import argparse
import os
import re
import sys

# package path below k8s.io, table file, API group
PACKAGES = [
    ("apimachinery/pkg/apis/meta/v1", "meta.v1", "meta.k8s.io"),
    ("api/core/v1", "core.v1", ""),
    ("api/apps/v1", "apps.v1", "apps"),
    ("api/autoscaling/v1", "autoscaling.v1", "autoscaling"),
    ("api/batch/v1", "batch.v1", "batch"),
    ("api/coordination/v1", "coordination.v1", "coordination.k8s.io"),
    ("api/discovery/v1", "discovery.v1", "discovery.k8s.io"),
    ("api/events/v1", "events.v1", "events.k8s.io"),
    ("api/policy/v1", "policy.v1", "policy"),
]

SCALARS = {"string": "string", "bool": "bool", "int32": "int32", "int64": "int64", "int": "int64",
           "float64": "double", "uint32": "int64", "uint8": "int32", "interface{}": "any", "any": "any"}
# Types with an encoding of their own, by package and name.
SPECIAL = {
    "apimachinery/pkg/apis/meta/v1.Time": "time",
    "apimachinery/pkg/apis/meta/v1.MicroTime": "microtime",
    "apimachinery/pkg/apis/meta/v1.Duration": "duration",
    "apimachinery/pkg/apis/meta/v1.FieldsV1": "any",
    "apimachinery/pkg/api/resource.Quantity": "quantity",
    "apimachinery/pkg/util/intstr.IntOrString": "intorstring",
    "apimachinery/pkg/util/intstr.Type": "int64",
    "apimachinery/pkg/runtime.RawExtension": "any",
    "apimachinery/pkg/runtime.Object": "any",
    "apimachinery/pkg/types.UID": "string",
    "apimachinery/pkg/types.NodeName": "string",
    "apimachinery/pkg/types.NamespacedName": "string",
}
# Fields of types from these alpha groups are left out: what a server without the feature does.
UNAVAILABLE = {"api/scheduling/v1alpha3"}
# Go types that never travel.
SKIPPED = {"TypeMeta", "InternalEvent", "Time", "MicroTime", "Duration", "FieldsV1", "Timestamp", "FieldSelectorRequirement",
           "ApplyOptions"}


class Package:
    def __init__(self, path, table, group):
        self.path, self.table, self.group = path, table, group
        self.version = path.rsplit("/", 1)[1]
        self.imports = {}   # alias -> package path
        self.aliases = {}   # type -> Go type it stands for
        self.enums = {}     # type -> values, when tagged +enum
        self.structs = {}   # type -> (tags, [field])
        self.constants = {}

    def name(self):
        return "io.k8s." + self.path.replace("/", ".")


def tags_of(comments):
    tags = {}
    for line in comments:
        match = re.match(r"\+(?:k8s:)?([A-Za-z:]+)(?:=(.*))?$", line)
        if match:
            tags.setdefault(match.group(1), []).append((match.group(2) or "").strip())
    return tags


def parse_struct_tag(text):
    return dict(re.findall(r'(\w+):"([^"]*)"', text))


def read_source(package, text):
    comments, struct, const_type = [], None, None
    in_import = in_const = False
    for raw in text.split("\n"):
        line = raw.strip()
        if line.startswith("//"):
            comments.append(line[2:].strip())
            continue
        if re.match(r"import \($", line):
            in_import = True
        elif re.match(r"const \($", line):
            in_const, const_type = True, None
        elif line == ")":
            in_import = in_const = False
        elif in_import:
            match = re.match(r'(?:(\w+) )?"k8s\.io/(.*)"', line)
            if match:
                path = match.group(2)
                package.imports[match.group(1) or path.rsplit("/", 1)[1]] = path
        elif match := re.match(r'(?:const )?(\w+)\s+(\w+)\s*=\s*"([^"]*)"$', line):
            if in_const or line.startswith("const "):
                package.constants.setdefault(match.group(2), []).append(match.group(3))
        elif match := re.match(r"type (\w+) struct \{(\})?$", line):
            struct = []
            package.structs[match.group(1)] = (tags_of(comments), struct)
            if match.group(2):
                struct = None
        elif match := re.match(r"type (\w+) (?:= )?([\w.\[\]*{}]+)$", line):
            package.aliases[match.group(1)] = match.group(2)
            if "enum" in tags_of(comments):
                package.enums[match.group(1)] = []
        elif struct is not None and line == "}":
            struct = None
        elif struct is not None and "`" in line:
            match = re.match(r"(?:(\w+)\s+)?([\w.\[\]*{}]+)\s+`(.*)`", line)
            if match:
                struct.append((match.group(1), match.group(2), parse_struct_tag(match.group(3)), tags_of(comments)))
        comments = []


class Importer:
    def __init__(self, packages):
        self.packages = {package.path: package for package in packages}

    def resolve(self, package, go_type):
        """-> container prefix, table type, is pointer"""
        if go_type.startswith("*"):
            prefix, name, _ = self.resolve(package, go_type[1:])
            return prefix, name, True
        if go_type == "[]byte":
            return "", "bytes", False
        if go_type.startswith("[]"):
            prefix, name, _ = self.resolve(package, go_type[2:])
            return ("[]", name, False) if not prefix else ("[]", "any", False)
        match = re.match(r"map\[[\w.]+\](.*)", go_type)
        if match:
            prefix, name, _ = self.resolve(package, match.group(1))
            return ("{}", name, False) if not prefix else ("{}", "any", False)
        if go_type in SCALARS:
            return "", SCALARS[go_type], False
        path, name = package.path, go_type
        if "." in go_type:
            alias, name = go_type.split(".", 1)
            path = package.imports[alias]
        if path + "." + name in SPECIAL:
            return "", SPECIAL[path + "." + name], False
        home = self.packages.get(path)
        if home is None:
            sys.exit(f"{package.path}: {go_type} is of {path}, which is not imported")
        if name in home.aliases:
            if home.enums.get(name):
                return "", name if home is package else f"{home.table}.{name}", False
            return self.resolve(home, home.aliases[name])
        if name not in home.structs:
            sys.exit(f"{package.path}: {go_type} is not known")
        return "", name if home is package else f"{home.table}.{name}", False

    def field_line(self, package, field):
        go_name, go_type, tag, tags = field
        json_name, *options = tag.get("json", "").split(",")
        if json_name == "-":
            return []
        prefix, name, pointer = "", "", False
        inline = "inline" in options or (not go_name and not json_name)
        if inline and go_type.endswith("TypeMeta"):
            return ["0 kind string omitempty", "0 apiVersion string omitempty"]
        bare = go_type.lstrip("*[]")
        if "." in bare and package.imports.get(bare.split(".")[0], "") in UNAVAILABLE:
            return []
        prefix, name, pointer = self.resolve(package, go_type)
        numbers = re.match(r"[^,]*,(\d+)", tag.get("protobuf", ""))
        words = [numbers.group(1) if numbers else "0", "-" if inline else json_name, prefix + name]
        if inline:
            words.append("inline")
        else:
            omit_empty = "omitempty" in options or "omitzero" in options
            if not omit_empty and "optional" not in tags:
                words.append("required")
            if omit_empty:
                words.append("omitempty")
        if pointer:
            words.append("pointer")
        words += self.merge_words(tag, tags)
        for value in tags.get("default", [])[:1]:
            if not value.startswith("ref("):
                words.append("default=" + value)
        return [" ".join(words)]

    @staticmethod
    def merge_words(tag, tags):
        words = []
        list_type = tags.get("listType", tags.get("structType", tags.get("mapType", [None])))[0]
        if list_type == "map":
            words.append("list=map:" + ",".join(dict.fromkeys(tags.get("listMapKey", []))))
        elif list_type in ("set", "atomic"):
            words.append("list=" + list_type)
        for strategy in filter(None, tag.get("patchStrategy", "").split(",")):
            words.append({"merge": "merge", "replace": "replace", "retainKeys": "retainKeys"}[strategy])
        if "patchMergeKey" in tag:
            words.append("key=" + tag["patchMergeKey"])
        return words

    def table(self, package):
        lines = [f"package {package.name()} {package.group or '-'} {package.version}", ""]
        for name in sorted(package.enums):
            if package.enums[name]:
                lines.append(f"enum {name} {' '.join(package.enums[name])}")
        for name in sorted(package.structs):
            if name in SKIPPED or name.startswith("AtMost"):
                continue
            _, fields = package.structs[name]
            body = [line for field in fields for line in self.field_line(package, field)]
            atomic = package.structs[name][0].get("structType", package.structs[name][0].get("mapType"))
            lines += ["", f"type {name}" + (" atomic" if atomic == ["atomic"] else "")]
            lines += ["  " + line for line in body]
        return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--api", required=True)
    parser.add_argument("--apimachinery", required=True)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    packages = []
    for path, table, group in PACKAGES:
        package = Package(path, table, group)
        root = arguments.apimachinery if path.startswith("apimachinery") else arguments.api
        folder = os.path.join(root, path.split("/", 1)[1])
        for file in ("types.go", "watch.go"):
            source = os.path.join(folder, file)
            if os.path.exists(source):
                with open(source, encoding="utf-8") as handle:
                    read_source(package, handle.read())
        for name in package.enums:
            package.enums[name] = sorted(v for v in dict.fromkeys(package.constants.get(name, [])) if v)
        packages.append(package)
    importer = Importer(packages)
    for package in packages:
        with open(os.path.join(arguments.out, package.table + ".txt"), "w", encoding="utf-8") as handle:
            handle.write(importer.table(package))


if __name__ == "__main__":
    main()
