"""A small application of Flask: a page of a template, and JSON."""
from flask import Flask, jsonify, render_template_string

app = Flask(__name__)
PAGE = "<!doctype html><title>{{ title }}</title><ul>{% for n in numbers %}<li>{{ n }}</li>{% endfor %}</ul>"


@app.get("/")
def page():
    return render_template_string(PAGE, title="numbers", numbers=range(20))


@app.get("/json")
def json():
    return jsonify(numbers=list(range(20)))
