"""Independent writer of sessions.json: jwcrypto 1.6.1 for the tokens, the Python standard library for the rest.

    python3 -m venv /tmp/v && /tmp/v/bin/pip install jwcrypto==1.6.1 && /tmp/v/bin/python generate.py

It follows README.md, not the TypeScript. jwcrypto draws a random IV for each token, so a second run writes other tokens;
the file is committed once.
"""
import base64, hashlib, hmac, json, pathlib, struct
from jwcrypto import jwe, jwk

b64u = lambda b: base64.urlsafe_b64encode(b).rstrip(b"=").decode()
u32 = lambda n: struct.pack(">I", n)
lp = lambda t: u32(len(t.encode())) + t.encode()

def pattern(n, seed):
    return hashlib.shake_256(seed.encode()).digest(n)

def mac(key, label, data):
    return hmac.new(key, label.encode() + b"\0" + data, hashlib.sha256).digest()

def token(key, header, claims):
    box = jwe.JWE(claims.encode(), protected=header, algs=["dir", "A256KW", "A256GCM", "A256CBC-HS512"])
    box.add_recipient(jwk.JWK(kty="oct", k=b64u(key)))
    return box.serialize(compact=True)

HEADER = '{"alg":"dir","enc":"A256GCM"}'
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:::key/a*"}]}'

def session(name, parent, secret, iat, exp, policy=None):
    key = pattern(32, name + " key")
    jti = b64u(pattern(16, name + " random") + mac(key, "parent-secret", lp(parent) + lp(secret))[:8])
    claims = {"jti": jti, "parent": parent, "iat": iat, "exp": exp}
    if policy is not None:
        claims["policy"] = policy
    return {
        "name": name, "key": key.hex(), "random": pattern(16, name + " random").hex(),
        "parent": {"name": parent, "secretAccessKey": secret}, "claims": claims,
        "accessKeyId": "ASIA" + base64.b32encode(mac(key, "access-key-id", jti.encode())).decode()[:16],
        "secretAccessKey": b64u(mac(key, "secret", jti.encode())),
        "token": token(key, HEADER, json.dumps(claims, separators=(",", ":"), ensure_ascii=False)),
    }

good = [
    session("without a policy", "ann", "ann-secret-1", 1767323045, 1767326645),
    session("with milliseconds", "ann", "ann-secret-2", 1767323045.678, 1767326645.678),
    session("with a policy", "payments", "correct horse battery", 1767323045.5, 1767366245.5, POLICY),
    session("root, in other characters", "r/o+o=t", "geheimes 🔑 ä", 1767323045.001, 1767323945.001),
    session("a name of the object prototype", "__proto__", "constructor", 1767323045, 1767323945),
]

base = good[0]
key, claims = bytes.fromhex(base["key"]), base["claims"]
text = lambda **changes: json.dumps({**claims, **changes}, separators=(",", ":"))
without = lambda name: json.dumps({k: v for k, v in claims.items() if k != name}, separators=(",", ":"))
bad = [
    ("key wrapped (alg A256KW)", token(key, '{"alg":"A256KW","enc":"A256GCM"}', text())),
    ("compressed (zip)", token(key, '{"alg":"dir","enc":"A256GCM","zip":"DEF"}', text())),
    ("another header member (kid)", token(key, '{"alg":"dir","enc":"A256GCM","kid":"1"}', text())),
    ("header members in another order", token(key, '{"enc":"A256GCM","alg":"dir"}', text())),
    ("another key", token(pattern(32, "foreign"), HEADER, text())),
    ("no JSON", token(key, HEADER, "jti")),
    ("JSON but no object", token(key, HEADER, "null")),
    ("a jti of another length", token(key, HEADER, text(jti=b64u(pattern(23, "short"))))),
    ("a jti in padded base64", token(key, HEADER, text(jti=claims["jti"] + "="))),
    ("a jti that is a number", token(key, HEADER, text(jti=1))),
    ("a parent that is a list", token(key, HEADER, text(parent=["ann"]))),
    ("iat as text", token(key, HEADER, text(iat="1767323045"))),
    ("exp as text", token(key, HEADER, text(exp="1767326645"))),
    ("a policy that is none", token(key, HEADER, text(policy="{}"))),
    ("a policy null", token(key, HEADER, text(policy=None))),
] + [(f"no {name}", token(key, HEADER, without(name))) for name in ("jti", "parent", "iat", "exp")]

out = {"good": good, "bad": [{"name": n, "key": base["key"], "token": t} for n, t in bad]}
path = pathlib.Path(__file__).with_name("sessions.json")
path.write_text(json.dumps(out, indent=2, ensure_ascii=False) + "\n")
