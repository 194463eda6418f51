#!/usr/bin/env python3
"""Compiles the text tables of firmware/kube/schema into one C++ source of constants; run by the build.

    tools/schema/compile.py OUT.cpp TABLE.txt...
"""

import json
import os
import sys

KINDS = {"string": "string", "int32": "int32", "int64": "int64", "bool": "boolean", "double": "number", "bytes": "bytes",
         "time": "time", "microtime": "micro_time", "duration": "duration", "quantity": "quantity",
         "intorstring": "int_or_string", "any": "any"}


def quote(text):
    return json.dumps(text)


class Field:
    def __init__(self, words):
        self.number, self.name, self.type = int(words[0]), words[1], words[2]
        self.container = "single"
        if self.type.startswith("[]"):
            self.container, self.type = "list", self.type[2:]
        elif self.type.startswith("{}"):
            self.container, self.type = "map", self.type[2:]
        self.flags = {word for word in words[3:] if "=" not in word}
        self.values = dict(word.split("=", 1) for word in words[3:] if "=" in word)
        unknown = (self.flags - {"required", "omitempty", "pointer", "inline", "merge", "replace", "retainKeys"}) | (
            self.values.keys() - {"list", "key", "default"})
        if unknown:
            raise ValueError(f"unknown attributes {sorted(unknown)}")

    def default(self):
        """A default that equals the zero value which is left out anyway says nothing."""
        text = self.values.get("default", "")
        zero = text in ('""', "0", "false")
        return "" if zero and "pointer" not in self.flags else text


class Table:
    def __init__(self, path):
        self.enums, self.types = {}, {}
        self.alias = os.path.basename(path).removesuffix(".txt")
        current = None
        with open(path, encoding="utf-8") as handle:
            for number, line in enumerate(handle, 1):
                words = line.split("#")[0].split()
                try:
                    if not words:
                        continue
                    if words[0] == "package":
                        self.name, group, self.version = words[1:]
                        self.group = "" if group == "-" else group
                    elif words[0] == "enum":
                        self.enums[words[1]] = words[2:]
                    elif words[0] == "type":
                        current = []
                        self.types[words[1]] = (words[2:] == ["atomic"], current)
                    else:
                        current.append(Field(words))
                except (ValueError, IndexError, AttributeError) as error:
                    sys.exit(f"{path}:{number}: {error}")


class Compiler:
    def __init__(self, tables):
        self.tables = {table.alias: table for table in tables}
        self.type_index, self.extras, self.lists = {}, {}, {}
        for table in tables:
            for name in sorted(table.types):
                self.type_index[table.alias, name] = len(self.type_index)

    def lookup(self, table, name):
        if "." in name:
            alias, name = name.rsplit(".", 1)
            return self.tables[alias], name
        return table, name

    def string_list(self, values):
        if not values:
            return "{}"
        return f"list_{self.lists.setdefault(tuple(values), len(self.lists))}"

    def field(self, table, field):
        kind, type_pointer, enum, enum_name = KINDS.get(field.type), "nullptr", [], ""
        if kind is None:
            home, name = self.lookup(table, field.type)
            if name in home.enums:
                kind, enum, enum_name = "string", home.enums[name], name
            elif (home.alias, name) in self.type_index:
                kind, type_pointer = "object", f"&types[{self.type_index[home.alias, name]}]"
            else:
                sys.exit(f"{table.alias}: unknown type {field.type}")
        list_type, _, keys = field.values.get("list", "none").partition(":")
        keys = self.string_list(keys.split(",") if keys else [])
        extra = (quote(field.values.get("key", "")), keys, self.string_list(enum), quote(enum_name),
                 quote(field.default()))
        extra_pointer = "nullptr"
        if extra != ('""', "{}", "{}", '""', '""'):
            extra_pointer = f"&extras[{self.extras.setdefault(extra, len(self.extras))}]"
        flags = ", ".join(str(flag in field.flags).lower() for flag in
                          ("required", "omitempty", "pointer", "inline", "merge", "replace", "retainKeys"))
        name = "" if "inline" in field.flags else field.name
        return (f"    {{{quote(name)}, {type_pointer}, {extra_pointer}, {field.number}, Kind::{kind}, "
                f"Container::{field.container}, ListType::{list_type}, {flags}}},")

    def source(self):
        fields, types, packages = [], [], []
        for index, table in enumerate(self.tables.values()):
            packages.append(f"    {{{quote(table.name)}, {quote(table.group)}, {quote(table.version)}, "
                            f"{len(types)}, {len(table.types)}}},")
            for name in sorted(table.types):
                atomic, members = table.types[name]
                is_kind = any(field.name == "apiVersion" and field.number == 0 for field in members)
                span = f"{{fields + {len(fields)}, {len(members)}}}" if members else "{}"
                types.append(f"    {{{quote(name)}, &packages[{index}], {span}, {str(is_kind).lower()}, "
                             f"{str(atomic).lower()}}},")
                fields += [self.field(table, field) for field in members]
        lists = [f"constexpr std::string_view list_{index}[] = {{{', '.join(map(quote, values))}}};"
                 for values, index in self.lists.items()]
        extras = [f"    {{{', '.join(extra)}}}," for extra in self.extras]
        return "\n".join([
            "// Compiled from the text tables of firmware/kube/schema by tools/schema/compile.py.", "",
            '#include "firmware/kube/schema/tables.h"', "",
            "namespace tripod::kube::schema::tables {", "",
            f"extern const Type types[{len(types)}];", "",
            "namespace {", "",
            *lists, "",
            f"constexpr Package packages[{len(packages)}] = {{", *packages, "};", "",
            f"constexpr Extra extras[{len(extras)}] = {{", *extras, "};", "",
            f"constexpr Field fields[{len(fields)}] = {{", *fields, "};", "",
            "}  // namespace", "",
            f"constinit const Type types[{len(types)}] = {{", *types, "};", "",
            "std::span<const Type> all() { return types; }",
            "std::span<const Package> all_packages() { return packages; }", "",
            "}  // namespace tripod::kube::schema::tables", ""])


def main():
    out, *paths = sys.argv[1:]
    text = Compiler([Table(path) for path in paths]).source()
    with open(out, "w", encoding="utf-8") as handle:
        handle.write(text)


if __name__ == "__main__":
    main()
