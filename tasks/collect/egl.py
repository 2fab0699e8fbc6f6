"""Which GPUs EGL can render on: asked of the driver before an engine starts that would abort the process."""

from __future__ import annotations

import ctypes

CUDA_DEVICE = 0x323A
"""EGL_CUDA_DEVICE_NV (extension EGL_NV_device_cuda): the number that CUDA gives an EGL device."""
MOST = 64


def cuda_devices() -> list[int]:
    """CUDA's numbers of the EGL devices, in order; none where there is no EGL, or no driver that knows CUDA."""
    try:
        egl = ctypes.CDLL("libEGL.so.1")
    except OSError:
        return []
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    found = [egl.eglGetProcAddress(name) for name in (b"eglQueryDevicesEXT", b"eglQueryDeviceAttribEXT")]
    if not all(found):
        return []
    query = ctypes.CFUNCTYPE(
        ctypes.c_uint, ctypes.c_int, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_int)
    )(found[0])
    attribute = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_ssize_t))(
        found[1]
    )
    devices, count = (ctypes.c_void_p * MOST)(), ctypes.c_int()
    if not query(MOST, devices, ctypes.byref(count)):
        return []
    numbers = []
    for device in devices[: count.value]:
        value = ctypes.c_ssize_t()
        if attribute(device, CUDA_DEVICE, ctypes.byref(value)):
            numbers.append(int(value.value))
    return sorted(numbers)
