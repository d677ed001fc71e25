"""Fetches URLs with HTTP Digest: python-clients.py <client> <user> <password> <url>...; prints a JSON list of statuses."""

import json
import re
import sys

import httpx
import requests
from requests.auth import HTTPDigestAuth


class UnquotedDigestAuth(HTTPDigestAuth):
    """requests quotes two parameters that RFC 7616 says must not be; the rest of its header stays as it is."""

    def build_digest_header(self, method, url):
        header = super().build_digest_header(method, url)
        return header and re.sub(r'\b(algorithm|qop)="([^"]*)"', r"\1=\2", header)


def with_httpx(user, password, urls):
    with httpx.Client(auth=httpx.DigestAuth(user, password), trust_env=False) as client:
        return [client.get(url).status_code for url in urls]


def with_requests(auth, urls):
    with requests.Session() as session:
        session.trust_env = False
        session.auth = auth
        return [session.get(url).status_code for url in urls]


client, user, password, *urls = sys.argv[1:]
if client == "httpx":
    statuses = with_httpx(user, password, urls)
elif client == "requests":
    statuses = with_requests(HTTPDigestAuth(user, password), urls)
else:
    statuses = with_requests(UnquotedDigestAuth(user, password), urls)
print(json.dumps(statuses))
