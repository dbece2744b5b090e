"""Independent writer of the key stores in `independent/`: the Python standard library and libsodium (PyNaCl 1.6.0).

    python3 -m venv /tmp/v && /tmp/v/bin/pip install pynacl==1.6.0 && /tmp/v/bin/python generate.py

It follows docs/formats.md, not the TypeScript. The files are committed once; a change of any byte is a break.
"""
import base64, hashlib, hmac, json, os, struct
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as xchacha
from nacl.pwhash import argon2id

HERE = os.path.dirname(os.path.abspath(__file__))
T0 = 1_767_323_045_678  # 2026-01-02T03:04:05.678Z
DAY = 86_400_000

u32 = lambda n: struct.pack(">I", n)
lp = lambda b: u32(len(b)) + b
b64 = lambda b: base64.b64encode(b).decode()
label = lambda t: t.encode() + b"\0"

def pattern(n, seed):
    return hashlib.shake_256(seed.encode()).digest(n)

def hkdf(key, salt, info, length=32):
    prk = hmac.new(salt, key, "sha256").digest()
    block, out = b"", b""
    while len(out) < length:
        block = hmac.new(prk, block + info.encode() + bytes([len(out) // 32 + 1]), "sha256").digest()
        out += block
    return out[:length]

def stem(name):
    if name == name.lower():
        return name
    return name.lower() + "~" + hashlib.sha256(name.encode()).hexdigest()[:16]

class Store:
    def __init__(self, kind, secret):
        self.seed, self.kind, self.secret = "independent " + kind, kind, secret
        self.dir = os.path.join(HERE, "independent", kind, "store")
        self.realm = pattern(16, self.seed + " realm")
        # Two: it is being re-sealed, from the first to the second.
        self.keks = [(pattern(16, f"{self.seed} kek id {i}"), pattern(32, f"{self.seed} kek {i}")) for i in (0, 1)]
        self.material = {}
        self.envelopes = []
        os.makedirs(os.path.join(self.dir, "keys"))

    def write(self, path, content, mac_key):
        line = json.dumps(content, ensure_ascii=False).encode()
        mac = hmac.new(mac_key, lp(content["kind"].encode()) + lp(line), "sha256").hexdigest()
        path = os.path.join(self.dir, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(line + b"\n" + mac.encode() + b"\n")

    def entry(self, name, kek, content):
        id, key = self.keks[kek]
        content = {"format": 1, "kind": content.pop("kind"), "kek": id.hex(), **content}
        self.write(f"keys/{stem(name)}.json", content, hkdf(key, self.realm, "kms/local-mac/v1"))

    def version(self, key_id, version, kek):
        id, key = self.keks[kek]
        where = f"{self.seed} {key_id} {version}"
        material = pattern(32, where)
        about = lp(key_id.encode()) + u32(version)
        material_id = hmac.new(material, label("kms/material-id/v1") + self.realm + about, "sha256").digest()[:16]
        aad = hashlib.sha256(label("kms/local-seal/v1") + self.realm + id + about + bytes([1]) + material_id).digest()
        nonce = pattern(24, where + " nonce")
        content = {
            "format": 1, "kind": "version", "kek": id.hex(), "key_id": key_id, "version": version, "algorithm": 1,
            "material_id": material_id.hex(), "created_at": T0 + version, "sealed": b64(id + nonce + xchacha(material, aad, nonce, key)),
        }
        self.write(f"keys/{stem(key_id)}.versions/{version}.json", content, hkdf(key, self.realm, "kms/local-mac/v1"))
        self.material[key_id, version] = material, material_id

    def key(self, key_id, kek, oldest, current, **more):
        content = {
            "kind": "key", "key_id": key_id, "write": pattern(8, f"{self.seed} {key_id} write").hex(), "state": "Enabled", "aliases": [],
            "description": "", "tags": [], "created_at": T0, "current_version": current, "oldest_version": oldest,
            "material_id": self.material[key_id, current][1].hex(), "origin": "KMS",
        }
        self.entry(key_id, kek, {**content, **more})

    def envelope(self, key_id, version, plaintext, context):
        material, material_id = self.material[key_id, version]
        head = b"KMSE" + bytes([1, 1, 0]) + self.realm + material_id + u32(version) + bytes([len(key_id)]) + key_id.encode()
        pairs = sorted((k.encode(), v.encode()) for k, v in context.items())
        canonical = u32(len(pairs)) + b"".join(lp(k) + lp(v) for k, v in pairs)
        aad = hashlib.sha256(label("kms/envelope-aad/v1") + lp(head) + canonical).digest()
        nonce = pattern(24, f"{self.seed} {key_id} {version} envelope")
        wrapped = nonce + xchacha(plaintext.encode(), aad, nonce, material)
        whole = head + struct.pack(">H", len(wrapped)) + wrapped
        self.envelopes.append({"envelope": b64(whole), "context": context, "plaintext": plaintext})

    def finish(self):
        if self.kind == "passphrase":
            salt = pattern(16, self.seed + " salt")
            root = argon2id.kdf(32, self.secret, salt, opslimit=2, memlimit=19456 * 1024)
            origin = {"kind": "passphrase", "kdf": "argon2id", "version": 19, "memory_kib": 19456, "iterations": 2, "parallelism": 1, "salt": b64(salt)}
        else:
            root, origin = self.secret, {"kind": "raw"}
        keks = []
        for i, (id, key) in enumerate(self.keks):
            nonce = pattern(24, f"{self.seed} kek nonce {i}")
            sealed = nonce + xchacha(key, label("kms/local-kek/v1") + self.realm + id, nonce, root)
            keks.append({"id": id.hex(), "sealed": b64(sealed), **({"created_at": T0 + DAY} if i == 1 else {})})
        content = {
            "format": 1, "kind": "store", "realm": self.realm.hex(), "created_at": T0, "root_key": origin, "root_since": T0 + DAY,
            "check": b64(hkdf(root, self.realm, "kms/root-check/v1", 16)), "current_kek": self.keks[1][0].hex(), "keks": keks,
        }
        self.write("store.json", content, hkdf(root, self.realm, "kms/store-mac/v1"))
        with open(os.path.join(self.dir, "..", "envelopes.json"), "w") as file:
            file.write(json.dumps(self.envelopes, indent=2, ensure_ascii=False) + "\n")

def make(kind, secret):
    store = Store(kind, secret)
    for version, kek in ((1, 0), (2, 1), (3, 0)):
        store.version("orders", version, kek)
        store.envelope("orders", version, f"orders {version}", {"bucket": "photos", "\U0001f511": "z\u00fcrich"})
    store.key("orders", 1, 1, 3, aliases=["shop", "Legacy"], description="f\u00fcr \"orders\"", tags=[["team", "blue"], ["__proto__", "x"]],
              rotated_at=T0 + DAY, rotation_period_days=90)
    for alias, kek in (("shop", 0), ("Legacy", 1)):
        store.entry(alias, kek, {"kind": "alias", "alias": alias, "key_id": "orders"})
    store.version("escrow", 1, 0)
    store.key("escrow", 0, 1, 1, origin="EXTERNAL", state="Disabled")
    store.envelope("escrow", 1, "imported", {})
    # What a crash left of a rotation, and an alias that its key does not list.
    store.version("escrow", 2, 0)
    store.entry("stale", 0, {"kind": "alias", "alias": "stale", "key_id": "escrow"})
    store.version("Archive.2026", 1, 1)
    store.key("Archive.2026", 0, 1, 1, state="PendingDeletion", deletion_at=T0 + 30 * DAY, state_before_deletion="Disabled")
    store.envelope("Archive.2026", 1, "x" * 4096, {"a": ""})
    store.version("again", 7, 0)
    store.key("again", 1, 7, 7)
    store.envelope("again", 7, "made again", {})
    store.entry("gone", 0, {"kind": "tombstone", "key_id": "gone", "last_version": 4, "destroyed_at": T0 + 2 * DAY})
    store.finish()

make("passphrase", "correct horse battery staple \U0001f511".encode())
make("raw", b"fedcba9876543210fedcba9876543210")
