"""Azure Monitor's REST contract beyond what the SDKs use, by plain requests.

The environment says where the server is (LOGGIA_URL) and which rows it holds (`tests/sdk.rs`).
"""

import gzip
import json
import os
import unittest

import requests

URL = os.environ["LOGGIA_URL"]
RESOURCE = os.environ["LOGGIA_RESOURCE"]
COUNT = "AmlComputeJobEvent | count"


def count(response):
    assert response.status_code == 200, response.text
    return response.json()["tables"][0]["rows"][0][0]


class Queries(unittest.TestCase):
    def test_get_and_post_with_and_without_the_version(self):
        for base in [f"{URL}/v1", URL]:
            for target in ["/workspaces/default", RESOURCE]:
                url = f"{base}{target}/query"
                expected = 5 if target == "/workspaces/default" else 3
                self.assertEqual(count(requests.get(url, params={"query": COUNT})), expected, url)
                self.assertEqual(count(requests.post(url, json={"query": COUNT})), expected, url)

    def test_parameters_of_a_get(self):
        params = {"query": COUNT, "timespan": "2026-01-10/P1D"}
        url = f"{URL}/v1/workspaces/sdk-one/query"
        self.assertEqual(count(requests.get(url, params=params)), 2)
        params["workspaces"] = "sdk-two"
        self.assertEqual(count(requests.get(url, params=params)), 3)

    def test_workspaces_by_guid_name_path_and_resource_id(self):
        url = f"{URL}/v1/workspaces/sdk-two/query"
        parts = RESOURCE.split("/")
        guid = os.environ["LOGGIA_WORKSPACE"]
        for name in ["sdk-one", guid, RESOURCE, f"{parts[2]}/{parts[4]}/{parts[-1]}", "weather"]:
            body = {"query": COUNT, "workspaces": [name]}
            self.assertEqual(count(requests.post(url, json=body)), 5, name)

    def test_a_body_may_be_compressed(self):
        url = f"{URL}/v1/workspaces/default/query"
        body = gzip.compress(json.dumps({"query": COUNT, "timespan": None}).encode())
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        self.assertEqual(count(requests.post(url, data=body, headers=headers)), 5)

    def test_preferences(self):
        url = f"{URL}/v1/workspaces/default/query"
        body = {"query": "print x = 1 | render table"}

        def keys(prefer):
            return set(requests.post(url, json=body, headers={"Prefer": prefer}).json())

        self.assertEqual(keys(""), {"tables"})
        self.assertEqual(keys("wait=30"), {"tables"})
        self.assertEqual(keys("include-statistics=true"), {"tables", "statistics"})
        self.assertEqual(keys("wait=30, include-render=true"), {"tables", "render"})

    def test_the_callers_id_is_given_back(self):
        url = f"{URL}/v1/workspaces/default/query"
        for query in [COUNT, "not a query at all"]:
            headers = {"x-ms-client-request-id": "mine"}
            response = requests.post(url, json={"query": query}, headers=headers)
            self.assertEqual(response.headers["x-ms-client-request-id"], "mine")
            self.assertTrue(response.headers["x-ms-request-id"])


class Failures(unittest.TestCase):
    def fails(self, response, status, code):
        self.assertEqual(response.status_code, status, response.text)
        error = response.json()["error"]
        self.assertEqual(error["code"], code)
        return error

    def test_a_request_without_a_query(self):
        url = f"{URL}/v1/workspaces/default/query"
        for response in [
            requests.post(url),
            requests.post(url, json={}),
            requests.post(url, json={"query": " "}),
            requests.post(url, data="not JSON"),
            requests.post(url, json=["query"]),
            requests.get(url),
        ]:
            self.fails(response, 400, "BadArgumentError")

    def test_an_unknown_path(self):
        for path in ["/", "/v1", "/v1/workspaces/default", "/metrics-of-no-kind"]:
            self.fails(requests.get(URL + path), 404, "PathNotFoundError")
        nowhere = requests.post(f"{URL}/v1/workspaces/nowhere/query", json={"query": COUNT})
        self.assertIn("nowhere", self.fails(nowhere, 404, "PathNotFoundError")["message"])

    def test_preferences_and_timespans_that_mean_nothing(self):
        url = f"{URL}/v1/workspaces/default/query"
        for wait in ["0", "601", "soon"]:
            headers = {"Prefer": f"wait={wait}"}
            response = requests.post(url, json={"query": COUNT}, headers=headers)
            self.assertIn(f"`{wait}`", self.fails(response, 400, "BadArgumentError")["message"])
        response = requests.post(url, json={"query": COUNT, "timespan": "soon"})
        self.assertIn("`soon`", self.fails(response, 400, "BadArgumentError")["message"])

    def test_a_place_is_given_for_each_thing_that_is_wrong(self):
        body = {"query": "AmlRunEvent\n| wehre x\n| cuont"}
        response = requests.post(f"{URL}/v1/workspaces/default/query", json=body)
        inner = self.fails(response, 400, "BadArgumentError")["innererror"]
        self.assertEqual(inner["code"], "SyntaxError")
        first = inner["innererror"]
        places = [(at["line"], at["pos"]) for at in [first, *first["details"]]]
        self.assertEqual(places, [(2, 2), (3, 2)])


class Batches(unittest.TestCase):
    def send(self, *requests_of_batch):
        return requests.post(f"{URL}/v1/$batch", json={"requests": list(requests_of_batch)})

    def query(self, name, **more):
        part = {"id": name, "workspace": "default", "body": {"query": COUNT}}
        return {**part, **more}

    def test_answers_bear_the_ids_of_their_requests(self):
        wrong = self.query("b", body={"query": "AmlRunEvent | cuont"})
        response = self.send(self.query("a", method="POST", path="/query"), wrong)
        answers = {answer["id"]: answer for answer in response.json()["responses"]}
        self.assertEqual(answers["a"]["status"], 200)
        self.assertEqual(answers["a"]["body"]["tables"][0]["rows"], [[5]])
        self.assertEqual(answers["b"]["status"], 400)
        self.assertEqual(answers["b"]["body"]["error"]["code"], "BadArgumentError")

    def test_wrong_ids_fail_the_whole_batch(self):
        for batch in [[self.query("a"), self.query("a")], [self.query("")], []]:
            response = self.send(*batch)
            self.assertEqual(response.status_code, 400, response.text)
            self.assertEqual(response.json()["error"]["code"], "BadArgumentError")


if __name__ == "__main__":
    unittest.main(verbosity=2)
