"""Independent writer of archives/: the Python standard library, OpenSSL (cryptography 48.0.0) and libsodium (PyNaCl 1.6.0).

    python3 -m venv /tmp/v && /tmp/v/bin/pip install pynacl==1.6.0 cryptography==48.0.0 && /tmp/v/bin/python generate-archives.py

It follows docs/formats.md (sections 2, 6, 9 and 12), not the TypeScript. The files are committed once; a change of any byte is a break.
"""
import base64, hashlib, hmac, json, os, struct
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as xchacha

u32 = lambda n: struct.pack(">I", n)
u64 = lambda n: struct.pack(">Q", n)
lp = lambda b: u32(len(b)) + b
label = lambda t: t.encode() + b"\0"
sha256 = lambda b: hashlib.sha256(b).digest()
b64 = lambda b: base64.b64encode(b).decode()
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "archives")


def pattern(n, seed):
    return hashlib.shake_256(seed.encode()).digest(n)


def hkdf(key, salt, info, length):
    prk = hmac.new(salt, key, hashlib.sha256).digest()
    out, block, i = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([i]), hashlib.sha256).digest()
        out, i = out + block, i + 1
    return out[:length]


REALM = pattern(16, "archive realm")
CREATED = 1_767_323_045_678


def material_of(key_id, version):
    return pattern(32, f"material {key_id} {version}")


def material_id(key_id, version):
    text = label("kms/material-id/v1") + REALM + lp(key_id.encode()) + u32(version)
    return hmac.new(material_of(key_id, version), text, hashlib.sha256).hexdigest()[:32]


def entry(name, body):
    return lp(name.encode()) + lp(json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode())


def key(key_id, oldest, current, gaps=(), **more):
    body = {
        "write": pattern(8, f"write {key_id}").hex(),
        "state": more.get("state", "Enabled"),
        "aliases": more.get("aliases", []),
        "description": more.get("description", ""),
        "tags": more.get("tags", []),
        "created_at": CREATED - 86_400_000,
    }
    for name in ("rotated_at", "deletion_at", "state_before_deletion", "rotation_period_days"):
        if name in more:
            body[name] = more[name]
    body |= {
        "current_version": current,
        "oldest_version": oldest,
        "material_id": material_id(key_id, current),
        "origin": more.get("origin", "KMS"),
    }
    out = [entry(f"key/{key_id}", body)]
    for version in range(oldest, current + 1):
        if version in gaps:
            out.append(entry(f"gap/{key_id}/{version}", {"reason": "its file is missing"}))
            continue
        out.append(entry(f"version/{key_id}/{version}", {
            "algorithm": 1,
            "created_at": CREATED - 1000 + version,
            "material_id": material_id(key_id, version),
            "material": b64(material_of(key_id, version)),
        }))
    return out


def archive(head, secret_key, salt, entries):
    plaintext = b"".join(entries)
    plaintext += entry("end", {"entries": len(entries), "sha256": sha256(plaintext).hex()})
    derived = hkdf(secret_key, salt, label("kms/archive/v1") + head, 64)
    frames = [plaintext[i:i + 65536] for i in range(0, len(plaintext), 65536)]
    sealed = b"".join(
        AESGCM(derived[:32]).encrypt(i.to_bytes(11, "big") + bytes([i == len(frames) - 1]), frame, None)
        for i, frame in enumerate(frames))
    return head + salt + derived[32:] + sealed


def head_of(kind, parameters, last):
    head = b"KMSA" + bytes([1, kind, 0, 0]) + REALM + u64(CREATED) + b"".join(map(u32, parameters)) + last
    assert len(head) == 60
    return head


def envelope(key_id, version, plaintext, context):
    head = b"KMSE" + bytes([1, 1, 0]) + REALM + bytes.fromhex(material_id(key_id, version)) + u32(version)
    head += bytes([len(key_id)]) + key_id.encode()
    pairs = sorted((k.encode(), v.encode()) for k, v in context.items())
    canonical = u32(len(pairs)) + b"".join(lp(k) + lp(v) for k, v in pairs)
    aad = sha256(label("kms/envelope-aad/v1") + lp(head) + canonical)
    nonce = pattern(24, f"nonce {key_id} {version}")
    wrapped = nonce + xchacha(plaintext, aad, nonce, material_of(key_id, version))
    return {"key_id": key_id, "version": version, "context": context, "plaintext": b64(plaintext),
            "ciphertext_blob": b64(head + struct.pack(">H", len(wrapped)) + wrapped)}


def write(name, data):
    with open(os.path.join(OUT, name), "wb") as file:
        file.write(data)


SMALL = (
    key("Archive", 1, 1, description="schlüssel 鍵", tags=[["team", "blue"], ["__proto__", "x"]])
    + key("master", 2, 4, rotated_at=CREATED - 5, rotation_period_days=90, aliases=["main", "Primary"])
    + [entry("tombstone/old", {"last_version": 7, "destroyed_at": CREATED - 99})]
    + key("orders", 1, 2, state="PendingDeletion", state_before_deletion="Disabled", deletion_at=CREATED + 10**9,
          origin="EXTERNAL")
)
# Over several frames, with what could not be read.
LARGE = sum((key(f"key-{i:02d}", 1, 1 + i % 3, description=f"{i} " + "long words " * 600) for i in range(16)), [])
LARGE += key("worn", 1, 3, gaps=(2,))
LARGE += [entry("ruin/worse", {"reason": "its file is damaged"})]

PASSPHRASE = "correct horse battery staple ü"
SALT, STREAM_SALT = pattern(16, "kdf salt"), pattern(32, "archive salt")
MEMORY, ITERATIONS, LANES = 65_536, 3, 4
words_key = Argon2id(salt=SALT, length=32, iterations=ITERATIONS, lanes=LANES, memory_cost=MEMORY).derive(PASSPHRASE.encode())
write("passphrase.kmsa", archive(head_of(1, (MEMORY, ITERATIONS, LANES), SALT), words_key, STREAM_SALT, SMALL))

BACKUP_KEY = pattern(32, "backup key")
KEY_ID = sha256(label("kms/archive-key-id/v1") + BACKUP_KEY)[:16]
write("key.kmsa", archive(head_of(2, (0, 0, 0), KEY_ID), BACKUP_KEY, STREAM_SALT, LARGE))

facts = {
    "realm": REALM.hex(),
    "created_at": CREATED,
    "salt": STREAM_SALT.hex(),
    "passphrase": {"passphrase": PASSPHRASE, "kdf_salt": SALT.hex(), "memory_kib": MEMORY, "iterations": ITERATIONS,
                   "parallelism": LANES, "entries": len(SMALL)},
    "key": {"key": BACKUP_KEY.hex(), "key_id": KEY_ID.hex(), "entries": len(LARGE)},
    "envelopes": [envelope(k, v, pattern(32, f"data key {k} {v}"), {"of": k})
                  for k, v in (("Archive", 1), ("master", 2), ("master", 3), ("master", 4), ("orders", 1), ("orders", 2))],
}
write("archives.json", (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode())
