"""Asks a Superset for its dashboards, and for the data of each chart as its page does. One line of JSON on stdout."""

import json
import os

from superset.app import create_app

client = create_app().test_client()
login = {"username": "admin", "password": os.environ["ADMIN_PASSWORD"], "provider": "db", "refresh": False}
token = client.post("/api/v1/security/login", json=login).get_json()["access_token"]
headers = {"Authorization": f"Bearer {token}"}


def ask(path: str) -> dict:
    answer = client.get(path, headers=headers)
    if answer.status_code != 200:
        raise SystemExit(f"{path}: {answer.status_code} {answer.get_data(as_text=True)[:2000]}")
    return answer.get_json()


dashboards = [one["dashboard_title"] for one in ask("/api/v1/dashboard/")["result"]]
charts = {}
for one in ask("/api/v1/chart/")["result"]:
    (result,) = ask(f"/api/v1/chart/{one['id']}/data/")["result"]
    charts[one["slice_name"]] = {"columns": result["colnames"], "rows": result["data"]}
print("ANSWER " + json.dumps({"dashboards": dashboards, "charts": charts}, default=str))
