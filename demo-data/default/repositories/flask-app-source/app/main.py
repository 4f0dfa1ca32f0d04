import os

from flask import Flask, jsonify

app = Flask(__name__)


@app.get("/")
def index():
    return f"demo app {os.environ.get('APP_VERSION', 'unknown')}"


@app.get("/healthz")
def healthz():
    return jsonify(status="ok", version=os.environ.get("APP_VERSION", "unknown"))
