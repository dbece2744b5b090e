"""Independent writer of the golden files beside it: the Python standard library, libsodium (PyNaCl 1.6.0) and OpenSSL
(cryptography 48.0.0).

    python3 -m venv /tmp/v && /tmp/v/bin/pip install pynacl==1.6.0 cryptography==48.0.0 && /tmp/v/bin/python generate.py

It follows docs/formats.md, not the TypeScript. The files are committed once; a change of any byte is a break.
"""
import base64, hashlib, hmac, json, struct
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as xchacha

u32 = lambda n: struct.pack(">I", n)
lp = lambda b: u32(len(b)) + b
b64 = lambda b: base64.b64encode(b).decode()
label = lambda t: t.encode() + b"\0"

def pattern(n, seed):
    return hashlib.shake_256(seed.encode()).digest(n)

def canonical(pairs):
    pairs = sorted((k.encode(), v.encode()) for k, v in pairs)
    return u32(len(pairs)) + b"".join(lp(k) + lp(v) for k, v in pairs)

CONTEXTS = {
    "empty": [],
    "one pair": [["purpose", "backup"]],
    "insertion order does not matter": [["b", "2"], ["a", "1"]],
    "names of the object prototype": [["__proto__", "x"], ["constructor", "y"], ["toString", "z"]],
    "UTF-8 order, not UTF-16: U+FFFF before U+10000": [["\U00010000", "astral"], ["\uffff", "bmp"]],
    "empty value": [["a", ""]],
    "not normalised": [["e\u0301", "decomposed"], ["\u00e9", "composed"]],
    "NUL and controls": [["a\u0000b", "\u0001"]],
    "prefix of another key": [["ab", "2"], ["a", "1"], ["abc", "3"]],
}

def context_file():
    return [{"name": n, "pairs": p, "canonical": canonical(p).hex()} for n, p in CONTEXTS.items()]

def header(algorithm, realm, material, version, key_id):
    return b"KMSE" + bytes([1, algorithm, 0]) + realm + material + u32(version) + bytes([len(key_id)]) + key_id.encode()

def envelope_file():
    out = []
    cases = [
        ("smallest", "a", 1, 1, []),
        ("data key with context", "rustfs-master", 1, 32, [["purpose", "backup"]]),
        ("high version", "0c9a4f6e-0b1f-4b4e-9a8e-1f1d3c2b7a60", 4294967295, 16, []),
        ("longest id, largest plaintext", "K" * 128, 7, 4096, CONTEXTS["names of the object prototype"]),
    ]
    for name, key_id, version, size, pairs in cases:
        realm, material = pattern(16, "realm"), pattern(16, name)
        key, nonce, plaintext = pattern(32, name + " key"), pattern(24, name + " nonce"), pattern(size, name + " plaintext")
        head = header(1, realm, material, version, key_id)
        aad = hashlib.sha256(label("kms/envelope-aad/v1") + lp(head) + canonical(pairs)).digest()
        wrapped = nonce + xchacha(plaintext, aad, nonce, key)
        out.append({
            "name": name, "key": key.hex(), "nonce": nonce.hex(), "plaintext": b64(plaintext), "context": pairs,
            "realm": realm.hex(), "material_id": material.hex(), "version": version, "key_id": key_id,
            "aad": aad.hex(), "envelope": b64(head + struct.pack(">H", len(wrapped)) + wrapped),
        })
    return out

def hkdf(key, info, length=32, salt=b"\0" * 32):
    prk = hmac.new(salt, key, hashlib.sha256).digest()
    out, block, i = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([i]), hashlib.sha256).digest()
        out, i = out + block, i + 1
    return out[:length]

def sealed_file():
    server_key = pattern(32, "server key")
    key_id = hashlib.sha256(label("kms/server-key-id/v1") + server_key).digest()[:8]
    purposes = ["config", "iam", "session", "offline", "upload", "metadata", "audit", "import"]
    out = []
    for name, document, pointer, binding, secret in [
        ("passphrase", "state", "/config/master_key", "/var/lib/rustfs/kms-keys", "correct horse"),
        ("escaped pointer", "state", "/stores/00/config/a~1b/c~0d", "", "s.XYZ"),
        ("not ASCII", "state", "/config/token", "https://vault.example.com:8200", "p\u00e4ss\U0001f511"),
    ]:
        nonce = pattern(24, name + " nonce")
        aad = label("kms/seal/v1") + lp(document.encode()) + lp(pointer.encode()) + lp(binding.encode())
        body = b"\x01" + key_id + nonce + xchacha(secret.encode(), aad, nonce, hkdf(server_key, b"kms/server/config/v1"))
        out.append({"name": name, "document": document, "pointer": pointer, "binding": binding, "plaintext": secret,
                    "nonce": nonce.hex(), "sealed": {"$sealed": b64(body)}})
    return {"server_key": server_key.hex(), "server_key_id": key_id.hex(),
            "subkeys": {p: hkdf(server_key, f"kms/server/{p}/v1".encode()).hex() for p in purposes}, "values": out}

def stream_file():
    out = []
    for name, size in [("empty", 0), ("one byte", 1), ("one frame less one", 65535), ("one frame", 65536),
                       ("one frame and one", 65537), ("three frames", 196608), ("many", 1000003)]:
        key, salt, info, plaintext = (pattern(n, name + w) for n, w in
                                      [(32, " key"), (32, " salt"), (40, " info"), (size, " plaintext")])
        keys = hkdf(key, info, 64, salt)
        frames = [plaintext[i:i + 65536] for i in range(0, size, 65536)] or [b""]
        sealed = b"".join(AESGCM(keys[:32]).encrypt(i.to_bytes(11, "big") + bytes([i == len(frames) - 1]), frame, None)
                          for i, frame in enumerate(frames))
        out.append({"name": name, "key": key.hex(), "salt": salt.hex(), "info": info.hex(), "size": size,
                    "plaintext_sha256": hashlib.sha256(plaintext).hexdigest(), "commitment": keys[32:].hex(),
                    "sealed_size": len(sealed), "sealed_sha256": hashlib.sha256(sealed).hexdigest()})
    return out

for file, value in [("contexts", context_file()), ("envelopes", envelope_file()), ("sealed-values", sealed_file()),
                    ("streams", stream_file())]:
    with open(f"{file}.json", "w") as f:
        json.dump(value, f, indent=2)
        f.write("\n")
