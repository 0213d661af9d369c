#!/usr/bin/python3
"""Hold the OpenAPI document of a running server against its answers: check.py http://HOST:PORT
Or say which lines of a file fit the schema Transaction of a document: check.py DOCUMENT FILE"""

import json
import sys
import urllib.error
import urllib.request

from jsonschema import Draft202012Validator

MISTAKES = [  # type, body, status; the last two are for operations without a body, too
    ("application/json", "{", 400),
    ("text/plain", "{}", 415),
    ("application/json", "{}", 422),
    ({"Expect": "cake"}, None, 417),
    ({"Host": "u@h"}, None, 400),
]


def follow(node):
    """The node that a reference leads to."""
    while "$ref" in node:
        at = document
        for name in node["$ref"].split("/")[1:]:
            at = at[name]
        node = at
    return node


def fits(schema, value):
    whole = {"components": document["components"], **schema}
    Draft202012Validator.check_schema(whole)
    return Draft202012Validator(whole).is_valid(value)


def ask(method, path, body=None, headers=None):
    data = body.encode() if body is not None else b"" if method == "POST" else None
    request = urllib.request.Request(url + path, data=data, headers=headers or {}, method=method)
    try:
        return urllib.request.urlopen(request, timeout=20)
    except urllib.error.HTTPError as answer:
        return answer


def check_answer(where, operation, answer):
    """The status, headers and media type are documented, and the text fits its schema."""
    text = answer.read()
    responses = operation["responses"]
    response = responses.get(str(answer.status)) or responses.get(f"{answer.status // 100}XX")
    assert response, f"{where}: {answer.status} {text}"
    response = follow(response)
    for name in response.get("headers", {}):
        assert name in answer.headers or name == "Retry-After", f"{where}: no header {name}"
    kind = answer.headers.get_content_type()
    assert kind in response["content"], f"{where}: {kind}"
    if kind.endswith("json"):
        assert fits(response["content"][kind]["schema"], json.loads(text)), f"{where}: {text}"


def check_operation(path, method, operation, real):
    where = f"{method} {path}"
    body = follow(operation["requestBody"])["content"] if "requestBody" in operation else None
    queries = {p["name"]: json.dumps(p["example"]).strip('"') for p in
               map(follow, operation.get("parameters", [])) if p["in"] == "query"}
    for name, example in (body["application/json"]["examples"] if body else {"none": {"value": None}}).items():
        text = json.dumps(follow(example)["value"]) if body else None
        for query in ["", *(f"?{key}={value}" for key, value in queries.items())]:
            answer = ask(method, real + query, text, {"Content-Type": "application/json"})
            assert answer.status < 300, f"{where}{query}: {answer.status} for the example {name}"
            check_answer(where, operation, answer)
        for key in queries:
            answer = ask(method, f"{real}?{key}=other", text, {"Content-Type": "application/json"})
            assert answer.status == (404 if key == "id" else 400), f"{where}: {answer.status} for another {key}"
            check_answer(where, operation, answer)
    for head, text, status in MISTAKES if body else MISTAKES[3:]:
        answer = ask(method, real, text, head if text is None else {"Content-Type": head})
        assert answer.status == status, f"{where}: {answer.status} for {head}, {text}"
        check_answer(where, operation, answer)


def check_examples(node):
    """Every example beside a schema, anywhere in the document, fits it; returns how many."""
    n = 0
    if isinstance(node, dict):
        if isinstance(node.get("schema"), dict):
            values = [follow(e)["value"] for e in node.get("examples", {}).values()]
            values += [node["example"]] if "example" in node else []
            for value in values:
                assert fits(node["schema"], value), f"example {value}"
            n += len(values)
        node = list(node.values())
    return n + sum(check_examples(x) for x in node) if isinstance(node, list) else n


if len(sys.argv) == 3:
    document = json.load(open(sys.argv[1]))
    for line in open(sys.argv[2]):
        print(int(fits({"$ref": "#/components/schemas/Transaction"}, json.loads(line))), end="")
    sys.exit()
url = sys.argv[1]
document = json.load(ask("GET", "/openapi.json"))
assert document["openapi"] == "3.1.0"
assert check_examples(document) > 10
operations = 0
for path, item in document["paths"].items():
    real = path
    for method in item:
        for parameter in map(follow, item[method].get("parameters", [])):
            real = real.replace("{" + parameter["name"] + "}", str(parameter["example"]))
        operations += 1
        check_operation(path, method.upper(), item[method], real)
print(operations, "operations are answered as documented")
