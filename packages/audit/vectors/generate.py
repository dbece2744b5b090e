"""Writes audit-00000001.jsonl from docs/formats.md alone: hashlib, and Ed25519 as RFC 8032 section 6 spells it out."""

import hashlib
import json
import pathlib

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def add(a, b):
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    x, y, z, t = f - e, h - g, h + g, f + e
    return (x * y % P, z * t % P, y * z % P, x * t % P)


def multiply(s, point):
    result = (0, 1, 1, 0)
    while s > 0:
        if s & 1:
            result = add(result, point)
        point = add(point, point)
        s >>= 1
    return result


def recover_x(y, sign):
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P)
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P != 0:
        x = x * SQRT_M1 % P
    return P - x if (x & 1) != sign else x


GY = 4 * pow(5, P - 2, P) % P
GX = recover_x(GY, 0)
G = (GX, GY, 1, GX * GY % P)


def compress(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return int.to_bytes(y | ((x & 1) << 255), 32, "little")


def sha512_int(data):
    return int.from_bytes(hashlib.sha512(data).digest(), "little")


def expand(secret):
    h = hashlib.sha512(secret).digest()
    a = int.from_bytes(h[:32], "little")
    return (a & ((1 << 254) - 8)) | (1 << 254), h[32:]


def public_key(secret):
    return compress(multiply(expand(secret)[0], G))


def sign(secret, message):
    a, prefix = expand(secret)
    public = compress(multiply(a, G))
    r = sha512_int(prefix + message) % Q
    big_r = compress(multiply(r, G))
    h = sha512_int(big_r + public + message) % Q
    return big_r + int.to_bytes((r + h * a) % Q, 32, "little")


def label(text):
    return text.encode() + b"\0"


def text(**members):
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False)


SEED = bytes([7]) * 32
CHAIN = "000102030405060708090a0b0c0d0e0f"
TIME = "2026-01-01T00:00:00.000Z"
PUBLIC = public_key(SEED)
KEY_ID = hashlib.sha256(label("kms/audit-key-id/v1") + PUBLIC).hexdigest()[:16]

lines = []


def add_line(type_, members, seal=False):
    prev = hashlib.sha256(lines[-1].encode()).hexdigest() if lines else "0" * 64
    place = dict(seq=len(lines) + 1, chain=CHAIN, prev=prev, type=type_, time=TIME)
    if seal:
        head = hashlib.sha256(text(**place, **members).encode()).digest()
        message = label("kms/audit-checkpoint/v1") + bytes.fromhex(CHAIN) + place["seq"].to_bytes(8, "big") + head
        members = dict(**members, head=head.hex(), signature=sign(SEED, message).hex())
    lines.append(text(**place, **members))


def record(**members):
    add_line("record", members)


add_line("open", dict(file="audit-00000001.jsonl", key_id=KEY_ID, public_key=PUBLIC.hex()))
record(
    plane="admin", operation="decrypt", action="kms:Decrypt", decision="allow", outcome="ok",
    principal="ann", access_key_id="ann", address="10.0.0.9", request_id="r-1", key_id="orders",
)
record(
    plane="admin", operation="configure", action="kms:Configure", decision="deny", outcome="AccessDenied",
    principal="jörg", access_key_id="jörg", request_id="r-2",
)
add_line("checkpoint", dict(key_id=KEY_ID), seal=True)

place = pathlib.Path(__file__).with_name("audit-00000001.jsonl")
place.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
