"""Independent writer of iam.json beside it: the Python standard library and libsodium (PyNaCl 1.6.0).

    python3 -m venv /tmp/v && /tmp/v/bin/pip install pynacl==1.6.0 && /tmp/v/bin/python generate.py

It follows docs/formats.md, not the TypeScript. The file is committed once; a change of any byte is a break.
"""
import base64, hashlib, hmac, json, struct
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as xchacha

lp = lambda b: struct.pack(">I", len(b)) + b
b64 = lambda b: base64.b64encode(b).decode()
label = lambda t: t.encode() + b"\0"
pattern = lambda n, seed: hashlib.shake_256(seed.encode()).digest(n)

server_key = pattern(32, "server key")
key_id = hashlib.sha256(label("kms/server-key-id/v1") + server_key).digest()[:8]
prk = hmac.new(b"\0" * 32, server_key, hashlib.sha256).digest()
subkey = hmac.new(prk, b"kms/server/iam/v1\x01", hashlib.sha256).digest()

def seal(index, access_key, secret):
    nonce = pattern(24, access_key + " nonce")
    aad = label("kms/seal/v1") + lp(b"iam") + lp(f"/users/{index}/secret".encode()) + lp(access_key.encode())
    return {"$sealed": b64(b"\x01" + key_id + nonce + xchacha(secret.encode(), aad, nonce, subkey))}

def user(index, access_key, secret, status, policies):
    return {"accessKeyId": access_key, "secret": seal(index, access_key, secret), "status": status,
            "policies": policies, "createdAt": "2026-01-02T03:04:05.678Z", "changedAt": "2026-02-03T04:05:06.789Z"}

policy = {"Version": "2012-10-17",
          "Statement": [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:::key/payments-*"}]}
document = {
    "format": 1,
    "users": [
        user(0, "ann", "battery staple", "enabled", ["KMSAuditor", "payments"]),
        user(1, "__proto__", "p\u00e4ss\U0001f511word", "disabled", []),
    ],
    "policies": [{"name": "payments", "document": json.dumps(policy, separators=(",", ":")),
                  "createdAt": "2026-01-02T03:04:05.678Z", "changedAt": "2026-01-02T03:04:05.678Z"}],
}
line = json.dumps(document, separators=(",", ":"))
with open("iam.json", "w") as f:
    f.write(line + "\n" + hashlib.sha256(line.encode()).hexdigest() + "\n")
print("server key:", server_key.hex())
