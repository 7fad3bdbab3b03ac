"""SM2 signatures with SM3 (GB/T 32918.2, ISO/IEC 14888-3), verified; no library that we use has them.

Verifying handles nothing secret, so plain integers are enough; what signs is in ``settlement.signatures.sm2``. The
signer's identity is the default one of GM/T 0009, ``1234567812345678``. One verification takes some milliseconds.
"""

from typing import Final

from cryptography.hazmat.primitives.hashes import SM3, Hash

COORDINATE_BYTES: Final = 32
SIGNER: Final = b"1234567812345678"

_P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_A: Final = _P - 3
_B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_G: Final = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)

_Jacobian = tuple[int, int, int]
_INFINITY: Final[_Jacobian] = (1, 1, 0)


class Sm2PublicKey:
    """A point of the curve SM2 (``sm2p256v1``), as two coordinates of 32 bytes.

    Raises:
        ValueError: it is none.
    """

    def __init__(self, x: bytes, y: bytes) -> None:
        if len(x) != COORDINATE_BYTES or len(y) != COORDINATE_BYTES:
            raise ValueError("a coordinate has 32 bytes")
        self._point = int.from_bytes(x), int.from_bytes(y)
        if max(self._point) >= _P or (self._point[1] ** 2 - self._point[0] ** 3 - _A * self._point[0] - _B) % _P:
            raise ValueError("not a point of the curve")
        identity = Hash(SM3())
        identity.update((8 * len(SIGNER)).to_bytes(2) + SIGNER)
        for number in (_A, _B, *_G, *self._point):
            identity.update(number.to_bytes(COORDINATE_BYTES))
        self._identity = identity.finalize()

    def verifies(self, signature: bytes, message: bytes | memoryview) -> bool:
        """Whether the signature (``r`` and ``s`` of 32 bytes each) is the key's over the message."""
        r, s = int.from_bytes(signature[:COORDINATE_BYTES]), int.from_bytes(signature[COORDINATE_BYTES:])
        t = (r + s) % _N
        if len(signature) != 2 * COORDINATE_BYTES or not (0 < r < _N and 0 < s < _N) or t == 0:
            return False
        digest = Hash(SM3())
        digest.update(self._identity)
        digest.update(message)
        x, _, z = _sum_of_products(s, t, self._point)
        if z == 0:
            return False
        return (int.from_bytes(digest.finalize()) + x * pow(z, -2, _P) % _P) % _N == r


def public_half(private: int) -> bytes:
    """The two coordinates, one after the other, of the point that belongs to a private number.

    For telling whether a stored key is whole; it hides nothing from a clock, so no key is made by it.
    """
    x, y, z = _sum_of_products(private, 0, _G)
    inverse = pow(z, -1, _P)
    return b"".join((coordinate % _P).to_bytes(COORDINATE_BYTES) for coordinate in (x * inverse**2, y * inverse**3))


def _sum_of_products(s: int, t: int, point: tuple[int, int]) -> _Jacobian:
    """``s`` times the base point and ``t`` times the point, bit by bit from the top."""
    base, own = (*_G, 1), (*point, 1)
    added = (None, base, own, _added(base, own))
    result = _INFINITY
    for bit in reversed(range(max(s.bit_length(), t.bit_length()))):
        result = _doubled(result)
        term = added[s >> bit & 1 | (t >> bit & 1) << 1]
        if term is not None:
            result = _added(result, term)
    return result


def _doubled(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    if z == 0:
        return _INFINITY
    square, of_z = y * y % _P, z * z % _P
    s = 4 * x * square % _P
    m = 3 * (x - of_z) * (x + of_z) % _P
    new = (m * m - 2 * s) % _P
    return new, (m * (s - new) - 8 * square * square) % _P, 2 * y * z % _P


def _added(one: _Jacobian, other: _Jacobian) -> _Jacobian:
    x1, y1, z1 = one
    x2, y2, z2 = other
    if z1 == 0 or z2 == 0:
        return one if z2 == 0 else other
    square1, square2 = z1 * z1 % _P, z2 * z2 % _P
    u1, s1 = x1 * square2 % _P, y1 * square2 * z2 % _P
    h, r = (x2 * square1 - u1) % _P, (y2 * square1 * z1 - s1) % _P
    if h == 0:
        return _doubled(one) if r == 0 else _INFINITY
    h2 = h * h % _P
    h3, v = h * h2 % _P, u1 * h2 % _P
    x = (r * r - h3 - 2 * v) % _P
    return x, (r * (v - x) - s1 * h3) % _P, h * z1 * z2 % _P
