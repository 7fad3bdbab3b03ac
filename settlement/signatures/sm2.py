"""SM2 with SM3 (GB/T 32918), where national cryptography is required: made by the system's OpenSSL, version 3 or later.

Of the Python libraries none does: ``cryptography`` leaves SM2 out of its wheels, the pure-Python ones take their nonces
from ``random`` or do not hide them from a clock, and ``tongsuopy`` has seen no release since 2023. OpenSSL's own
library is on every Debian, beside Python; only its public functions are called. JOSE has no registered name for SM2:
``SM2SM3`` is ours.
"""

import ctypes
import ctypes.util
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tenants.kernel.errors import Unavailable
from tenants.kernel.sm2 import COORDINATE_BYTES, SIGNER

_OLDEST: Final = 0x30000000
"""OpenSSL 3.0, as ``OpenSSL_version_num`` has it."""
_POINT_BYTES: Final = 1 + 2 * COORDINATE_BYTES
_SIGNATURE_BYTES: Final = 72
"""The longest: two integers of 33 bytes in DER."""
_POINTER = ctypes.c_void_p
_SIZE = ctypes.c_size_t
_FUNCTIONS: Final[Mapping[str, tuple[Any, tuple[Any, ...]]]] = {
    "OpenSSL_version_num": (ctypes.c_ulong, ()),
    "EVP_PKEY_Q_keygen": (_POINTER, (_POINTER, _POINTER, ctypes.c_char_p)),
    "EVP_PKEY_free": (None, (_POINTER,)),
    "EVP_PKEY_is_a": (ctypes.c_int, (_POINTER, ctypes.c_char_p)),
    "EVP_PKEY_get_octet_string_param": (
        ctypes.c_int, (_POINTER, ctypes.c_char_p, _POINTER, _SIZE, ctypes.POINTER(_SIZE)),
    ),
    "EVP_PKEY2PKCS8": (_POINTER, (_POINTER,)),
    "PKCS8_PRIV_KEY_INFO_free": (None, (_POINTER,)),
    "i2d_PKCS8_PRIV_KEY_INFO": (ctypes.c_int, (_POINTER, ctypes.POINTER(_POINTER))),
    "d2i_AutoPrivateKey": (_POINTER, (_POINTER, ctypes.POINTER(_POINTER), ctypes.c_long)),
    "EVP_sm3": (_POINTER, ()),
    "EVP_MD_CTX_new": (_POINTER, ()),
    "EVP_MD_CTX_free": (None, (_POINTER,)),
    "EVP_DigestSignInit": (ctypes.c_int, (_POINTER, ctypes.POINTER(_POINTER), _POINTER, _POINTER, _POINTER)),
    "EVP_PKEY_CTX_set1_id": (ctypes.c_int, (_POINTER, ctypes.c_char_p, ctypes.c_int)),
    "EVP_DigestSign": (ctypes.c_int, (_POINTER, _POINTER, ctypes.POINTER(_SIZE), _POINTER, _SIZE)),
}  # fmt: skip
"""What is called: result and arguments, as OpenSSL's manual pages have them."""


class Sm2PrivateKey:
    """A private key of the curve SM2, held by OpenSSL.

    Raises:
        ValueError: the bytes are none.
        Unavailable: ``suite.away``: there is no OpenSSL 3 here, or it was built without SM2.
    """

    def __init__(self, der: bytes) -> None:
        self._library = _openssl()
        buffer = ctypes.create_string_buffer(der, len(der))
        place = ctypes.cast(buffer, _POINTER)
        self._key = self._library.d2i_AutoPrivateKey(None, ctypes.byref(place), len(der))
        if not self._key or not self._library.EVP_PKEY_is_a(self._key, b"SM2"):
            raise ValueError("not an SM2 key")

    def __del__(self) -> None:
        if getattr(self, "_key", None):
            self._library.EVP_PKEY_free(self._key)

    def point(self) -> tuple[bytes, bytes]:
        """The public half: its two coordinates."""
        point, length = ctypes.create_string_buffer(_POINT_BYTES), _SIZE()
        done = self._library.EVP_PKEY_get_octet_string_param(
            self._key, b"pub", point, _POINT_BYTES, ctypes.byref(length)
        )
        if done != 1 or length.value != _POINT_BYTES or point.raw[:1] != b"\x04":
            raise RuntimeError("OpenSSL gave no uncompressed point")
        return point.raw[1 : 1 + COORDINATE_BYTES], point.raw[1 + COORDINATE_BYTES :]

    def sign(self, message: bytes | memoryview) -> bytes:
        """``r`` and ``s`` over the message, 32 bytes each; the nonce is OpenSSL's, from its own random numbers."""
        held = (ctypes.c_char * len(message)).from_buffer_copy(message)
        signature, length = ctypes.create_string_buffer(_SIGNATURE_BYTES), _SIZE(_SIGNATURE_BYTES)
        context, options = self._library.EVP_MD_CTX_new(), _POINTER()
        try:
            if (
                self._library.EVP_DigestSignInit(
                    context, ctypes.byref(options), self._library.EVP_sm3(), None, self._key
                ) != 1
                or self._library.EVP_PKEY_CTX_set1_id(options, SIGNER, len(SIGNER)) != 1
                or self._library.EVP_DigestSign(context, signature, ctypes.byref(length), held, len(message)) != 1
            ):  # fmt: skip
                raise RuntimeError("OpenSSL did not sign")
        finally:
            self._library.EVP_MD_CTX_free(context)
        r, s = decode_dss_signature(signature.raw[: length.value])
        return r.to_bytes(COORDINATE_BYTES) + s.to_bytes(COORDINATE_BYTES)


def generate() -> bytes:
    """A new private key, PKCS#8 DER.

    Raises:
        Unavailable: see :class:`Sm2PrivateKey`.
    """
    library = _openssl()
    key = library.EVP_PKEY_Q_keygen(None, None, b"SM2")
    if not key:
        raise _away("it has no SM2")
    held = library.EVP_PKEY2PKCS8(key)
    try:
        size = library.i2d_PKCS8_PRIV_KEY_INFO(held, None)
        buffer = ctypes.create_string_buffer(size)
        place = ctypes.cast(buffer, _POINTER)
        if library.i2d_PKCS8_PRIV_KEY_INFO(held, ctypes.byref(place)) != size:
            raise RuntimeError("OpenSSL did not write the key")
        return buffer.raw
    finally:
        library.PKCS8_PRIV_KEY_INFO_free(held)
        library.EVP_PKEY_free(key)


@cache
def _openssl() -> ctypes.CDLL:
    name = ctypes.util.find_library("crypto")
    if name is None:
        raise _away("there is none")
    try:
        library = ctypes.CDLL(name)
        for function, (result, arguments) in _FUNCTIONS.items():
            getattr(library, function).restype = result
            getattr(library, function).argtypes = arguments
    except (OSError, AttributeError) as error:
        raise _away(str(error)) from error
    if library.OpenSSL_version_num() < _OLDEST:
        raise _away("it is older than 3.0")
    return library


def _away(why: str) -> Unavailable:
    return Unavailable(
        "suite.away",
        f"国密签名需要系统的 OpenSSL 3（{why}）。",
        f"SM2 is signed by the system's OpenSSL 3 ({why}).",
    )
