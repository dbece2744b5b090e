"""Independent writer of objects.json: the Python standard library, libsodium (PyNaCl 1.6.0) and OpenSSL (cryptography 48.0.0).

    python3 -m venv /tmp/v && /tmp/v/bin/pip install pynacl==1.6.0 cryptography==48.0.0 && /tmp/v/bin/python generate.py

It follows docs/formats.md (sections 1, 2, 4, 9 and 10), not the TypeScript. The file is committed once; a change of any byte is a break.
"""
import hashlib, hmac, json, struct
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as xchacha

u8 = lambda n: bytes([n])
u32 = lambda n: struct.pack(">I", n)
u64 = lambda n: struct.pack(">Q", n)
lp = lambda b: u32(len(b)) + b
label = lambda t: t.encode() + b"\0"
sha256 = lambda b: hashlib.sha256(b).digest()
ZERO_NONCE = bytes(12)

def pattern(n, seed):
    return hashlib.shake_256(seed.encode()).digest(n)

def hkdf(key, info, length=32, salt=b"\0" * 32):
    prk = hmac.new(salt, key, hashlib.sha256).digest()
    out, block, i = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([i]), hashlib.sha256).digest()
        out, i = out + block, i + 1
    return out[:length]

def text_map(pairs):
    pairs = sorted((k.encode(), v.encode()) for k, v in pairs)
    return u32(len(pairs)) + b"".join(lp(k) + lp(v) for k, v in pairs)

# The server key (section 4) and the KMS key (section 2) everything is made with.
SERVER_KEY = pattern(32, "server key")
SERVER_KEY_ID = sha256(label("kms/server-key-id/v1") + SERVER_KEY)[:8]
REALM, MATERIAL_ID, KMS_KEY, KEY_ID, VERSION = pattern(16, "realm"), pattern(16, "material"), pattern(32, "kms key"), b"master", 3

def sealed(purpose, document, place_label, binding, clear, plaintext, nonce):
    aad = label("kms/seal/v1") + lp(document) + lp(b"") + lp(sha256(label(place_label) + binding + clear))
    return b"\x01" + SERVER_KEY_ID + nonce + xchacha(plaintext, aad, nonce, hkdf(SERVER_KEY, b"kms/server/" + purpose + b"/v1"))

def envelope(plaintext, context, nonce):
    head = b"KMSE" + bytes([1, 1, 0]) + REALM + MATERIAL_ID + u32(VERSION) + u8(len(KEY_ID)) + KEY_ID
    aad = sha256(label("kms/envelope-aad/v1") + lp(head) + text_map(context))
    wrapped = nonce + xchacha(plaintext, aad, nonce, KMS_KEY)
    return head + struct.pack(">H", len(wrapped)) + wrapped

def seal(kind, key, key_id, salt, object_key, binding):
    derived = hkdf(key, label("kms/ok-seal/v1") + u8(kind) + key_id + binding, 64, salt)
    out = u8(1) + u8(kind) + key_id + salt + derived[32:] + AESGCM(derived[:32]).encrypt(ZERO_NONCE, object_key, None)
    assert len(out) == 130
    return out

def stream(object_key, binding, number, salt, plaintext):
    head = b"KMSO" + u8(1) + u8(1) + b"\0\0" + u32(number)
    keys = hkdf(object_key, label("kms/object-stream/v1") + head + binding, 64, salt)
    frames = [plaintext[i:i + 65536] for i in range(0, len(plaintext), 65536)] or [b""]
    body = b"".join(AESGCM(keys[:32]).encrypt(i.to_bytes(11, "big") + bytes([i == len(frames) - 1]), frame, None)
                    for i, frame in enumerate(frames))
    assert len(head + salt + keys[32:]) == 76
    return head + salt + keys[32:] + body

MODES = ["plain", "SSE-S3", "SSE-KMS", "SSE-C"]

def make(case):
    name, mode, randoms = case["name"], case["mode"], {}
    def rnd(what, n):
        randoms[what] = pattern(n, f"{name} {what}")
        return randoms[what]

    encrypted = mode != "plain"
    bucket, key = case["bucket"].encode(), case["key"].encode()
    context, headers = case.get("context", []), case.get("headers", [])
    write_id = rnd("write id", 16)
    binding = sha256(label("kms/object/v1") + lp(bucket) + lp(key) + write_id)
    bucket_key = case.get("bucket_key", False)
    key_name = (case.get("key_name") or KEY_ID.decode()) if mode == "SSE-KMS" else ""
    fields = u8(MODES.index(mode)) + u8(bucket_key) + write_id + lp(key_name.encode()) + text_map(context) + text_map(headers)

    keys = wrapped_rk = rk = b""
    if encrypted:
        ok, rk = rnd("object key", 32), rnd("record key", 32)
        wrapped_rk = AESGCM(hkdf(ok, b"kms/record-key/v1", 32, write_id)).encrypt(ZERO_NONCE, rk, None)
        own = [("kms:sse", "KMS" if mode == "SSE-KMS" else "S3")]
        offline = b""
        if case.get("offline"):
            offline = seal(3, rnd("offline key", 32), rnd("offline key id", 16), rnd("offline salt", 32), ok, binding)
        if mode == "SSE-C":
            customer = rnd("customer key", 32)
            keys = b"KMSK" + bytes([1, 2, 0]) + seal(2, customer, bytes(16), rnd("seal salt", 32), ok, binding)
        elif bucket_key:
            pairs = context + own + [("aws:s3:arn", "arn:aws:s3:::" + case["bucket"])]
            bk = rnd("bucket key", 32)
            keys = b"KMSK" + bytes([1, 1, bool(offline)]) + lp(envelope(bk, pairs, rnd("envelope nonce", 24))) \
                + seal(1, bk, rnd("bucket key id", 16), rnd("seal salt", 32), ok, binding) + offline
        else:
            pairs = context + own + [("aws:s3:arn", "arn:aws:s3:::" + case["bucket"] + "/" + case["key"])]
            keys = b"KMSK" + bytes([1, 0, bool(offline)]) + lp(envelope(ok, pairs, rnd("envelope nonce", 24))) + offline

    parts, part_blobs, upload, streams = [], [], None, []
    sizes = case["parts"] if "parts" in case else [[0, case["size"]]]
    checksum_lists = case.get("part_checksums", [[] for _ in sizes])
    etags = []
    for (number, size), checksums in zip(sizes, checksum_lists):
        plaintext = pattern(size, f"{name} plaintext {number}")
        salt = rnd(f"salt {number}", 32) if encrypted else b""
        parts.append((number, size, salt))
        streams.append(stream(ok, binding, number, salt, plaintext) if encrypted else plaintext)
        md5 = hashlib.md5(plaintext).hexdigest()
        etag = md5 if mode in ("plain", "SSE-S3") else rnd(f"etag {number}", 16).hex()
        etags.append(etag)
        if number > 0:
            clear = b"KMSQ" + bytes([1, encrypted]) + u32(number) + u64(size) + salt
            digests = lp(etag.encode()) + text_map(checksums)
            part_blobs.append(clear + (lp(sealed(b"metadata", b"upload-part", "kms/upload-part-details/v1", binding, clear, digests,
                                                 rnd(f"part nonce {number}", 24))) if encrypted else digests))
    if part_blobs:
        clear = b"KMSU" + u8(1) + fields + (lp(keys) + wrapped_rk if encrypted else b"")
        upload = clear + lp(sealed(b"upload", b"upload", "kms/upload-details/v1", binding, clear, rk, rnd("upload nonce", 24)))
        if mode in ("plain", "SSE-S3"):
            etag = hashlib.md5(bytes.fromhex("".join(etags))).hexdigest()
        else:
            etag = rnd("etag", 16).hex()
        etag += f"-{len(parts)}"
    else:
        etag = etags[0]

    entries = u32(len(parts)) + b"".join(u32(n) + u64(s) + salt for n, s, salt in parts)
    flags, extra = (1 if encrypted else 0), b""
    if any(checksum_lists):
        flags |= 2
        names = sorted({n.encode() for c in checksum_lists for n, _ in c})
        maps = u32(len(names)) + b"".join(lp(n) + b"".join(
            b"\1" + lp(dict(c)[n.decode()].encode()) if n.decode() in dict(c) else b"\0" for c in checksum_lists) for n in names)
        extra = lp(sealed(b"metadata", b"object-parts", "kms/object-parts-details/v1", binding, entries, maps, rnd("parts nonce", 24))
                   if encrypted else maps)
    table = b"KMSP" + bytes([1, flags]) + entries + extra
    checksums = case.get("checksums", [])
    size = sum(s for _, s, _ in parts)
    clear = b"KMSM" + u8(1) + fields + u64(size) + u32(len(part_blobs)) + sha256(table)
    digests = lp(etag.encode()) + text_map(checksums)
    mac = b""
    if encrypted:
        mac = hmac.new(rk, label("kms/object-record/v1") + write_id + lp(bucket) + lp(key) + lp(mode.encode()) + lp(key_name.encode())
                       + lp(text_map(context)) + lp(u8(bucket_key)) + lp(text_map(headers)) + lp(etag.encode()) + lp(text_map(checksums))
                       + u64(size) + entries, hashlib.sha256).digest()
        clear += wrapped_rk + mac
        metadata = clear + lp(sealed(b"metadata", b"object", "kms/object-details/v1", binding, clear, digests, rnd("metadata nonce", 24)))
    else:
        metadata = clear + digests
    return {**case, "etag": etag, "randoms": {k: v.hex() for k, v in randoms.items()},
            "bodies": [{"size": len(s), "sha256": sha256(s).hex()} for s in streams],
            "metadata": metadata.hex(), "part_table": table.hex(), "keys": keys.hex(),
            **({} if upload is None else {"upload": upload.hex(), "part_records": [p.hex() for p in part_blobs]})}

HEADERS = [["content-type", "text/plain"], ["x-amz-meta-ü", "größe"], ["x-amz-meta-__proto__", ""]]
CASES = [
    {"name": "SSE-S3, empty", "mode": "SSE-S3", "bucket": "b", "key": "k", "size": 0},
    {"name": "SSE-S3 with a bucket key", "mode": "SSE-S3", "bucket": "photos", "key": "a//../\u0001", "bucket_key": True, "size": 1},
    {"name": "SSE-KMS, everything", "mode": "SSE-KMS", "bucket": "photos", "key": "\U0001f511/ü", "key_name": "alias/mine",
     "context": [["team", "red"], ["\uffff", "bmp"], ["\U00010000", "astral"]], "headers": HEADERS,
     "checksums": [["sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="], ["type", "FULL_OBJECT"]], "offline": True, "size": 65537},
    {"name": "SSE-KMS with a bucket key", "mode": "SSE-KMS", "bucket": "photos", "key": "k", "context": [["team", "red"]],
     "bucket_key": True, "offline": True, "size": 65536},
    {"name": "SSE-C", "mode": "SSE-C", "bucket": "photos", "key": "k", "headers": HEADERS, "size": 131073},
    {"name": "plain", "mode": "plain", "bucket": "photos", "key": "k", "headers": HEADERS, "checksums": [["crc32", "AAAAAA=="]], "size": 70000},
    {"name": "SSE-S3, multipart", "mode": "SSE-S3", "bucket": "photos", "key": "k", "parts": [[1, 65536], [2, 0], [10000, 131071]]},
    {"name": "SSE-KMS, multipart with checksums", "mode": "SSE-KMS", "bucket": "photos", "key": "k", "context": [["team", "red"]],
     "headers": HEADERS, "checksums": [["crc32", "AAAAAA==-2"]], "parts": [[2, 70000], [3, 1]],
     "part_checksums": [[["sha256", "AAAA"], ["crc32", "AAAAAA=="]], [["sha256", ""]]]},
    {"name": "SSE-C, multipart", "mode": "SSE-C", "bucket": "photos", "key": "k", "parts": [[1, 65537]]},
    {"name": "plain, multipart with checksums", "mode": "plain", "bucket": "photos", "key": "k", "parts": [[1, 10], [2, 20]],
     "part_checksums": [[["crc32", "AAAAAA=="]], [["crc32", "AAAAAQ=="]]]},
]

with open("objects.json", "w") as f:
    json.dump({"server_key": SERVER_KEY.hex(), "realm": REALM.hex(), "material_id": MATERIAL_ID.hex(), "kms_key": KMS_KEY.hex(),
               "key_id": KEY_ID.decode(), "version": VERSION, "objects": [make(c) for c in CASES]}, f, indent=1)
    f.write("\n")
