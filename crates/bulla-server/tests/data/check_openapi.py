"""Validates an OpenAPI document, and answers of the server under its schemas.

    check_openapi.py DOCUMENT ANSWERS

ANSWERS is a list of [method, path, answer, request body or null]; the method PROBLEM stands for an error.
"""

import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

document = json.load(open(sys.argv[1]))
answers = json.load(open(sys.argv[2]))
validate(document)


def check(schema, value):
    Draft202012Validator({**schema, "components": document["components"]}).validate(value)


for method, path, answer, body in answers:
    if method == "PROBLEM":
        check({"$ref": "#/components/schemas/Problem"}, answer)
        continue
    operation = document["paths"][path][method.lower()]
    check(operation["responses"]["200"]["content"]["application/json"]["schema"], answer)
    if body is not None:
        check(operation["requestBody"]["content"]["application/json"]["schema"], body)
print(f"{len(answers)} answers are as documented")
