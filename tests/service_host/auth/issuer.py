"""An issuer of tokens on this machine, with keys that rotate, and a door to them that fails on request."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ISSUER = "https://id.studio.example"
AUDIENCE = "telecine"


class Issuer:
    """Signs tokens, and serves its public keys."""

    def __init__(self):
        self.keys = {}
        self.fetches = 0
        self.is_down = False
        self.answer = None
        """What is served instead of the keys; None: the keys."""
        self.hanging = threading.Event()
        self.hanging.set()
        self.rotate("first")
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.fetches += 1
                issuer.hanging.wait(20)
                if issuer.is_down:
                    self.send_error(503)
                    return
                body = issuer.answer if issuer.answer is not None else issuer.public()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/jwks"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self):
        self.hanging.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def rotate(self, key_id, *, keep=False):
        """Signs with a new key from now on; `keep`: the former ones stay published."""
        if not keep:
            self.keys.clear()
        self.keys[key_id] = ec.generate_private_key(ec.SECP256R1())
        self.key_id = key_id

    def public(self):
        algorithm = jwt.get_algorithm_by_name("ES256")
        return json.dumps(
            {
                "keys": [
                    {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}
                    for kid, key in self.keys.items()
                ]
            }
        ).encode()

    def token(self, *, header=None, key=None, algorithm="ES256", **claims):
        """A valid token, but for what is said otherwise; None leaves a claim out."""
        now = time.time()
        said = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "ann",
            "iat": now,
            "exp": now + 300,
            "tenant": "studio-a",
            "scope": "read encode",
        }
        said = {name: value for name, value in (said | claims).items() if value is not None}
        signing = self.keys[self.key_id] if key is None else key
        return jwt.encode(said, signing, algorithm, headers={"kid": self.key_id, **(header or {})})


def rsa_key(bits=2048):
    return rsa.generate_private_key(65537, bits)
