"""The card of a Raspberry Pi 3 starts on QEMU's raspi3b, with Debian's kernel and the board's own modules and device tree, up to
the status screen. QEMU emulates no Ethernet of the board, so that it ends there; and its watchdog resets the machine at the
moment it is armed, so that the card's tripod.ini goes without."""

import subprocess

import board_firmware
import board_rows
import emulated_boards
from harness import ROOT, Failure, run, tripod_cluster

CLUSTER = False
CARD_MIB = 512  # QEMU wants a power of two
SCREEN_SECONDS = 240


def test_it_starts_up_to_the_status_screen(t):
    row = board_rows.board("raspberry-pi-3")
    image, boot, console = t.folder / "card.img", t.folder / "boot", t.folder / "console"
    template = (ROOT / "config/board-1.ini").read_text()
    config = t.write("tripod.ini", tripod_cluster.render_ini(template, {("board", "watchdog-timeout"): "0s"}))
    run([ROOT / "tools/image", "--board", row.name, "--config", config, "--no-xz", "-o", image], timeout=300)
    names = [row.text("kernel", "file"), "initramfs.gz", "cmdline.txt", row.text("qemu", "device-tree")]
    board_firmware.extract(image, 2, names, boot)
    with open(image, "r+b") as file:
        file.truncate(CARD_MIB << 20)
    disk = ["-drive", f"if=sd,format=raw,file={image}"]
    # The mini UART is the second serial line.
    extra = ["-no-reboot", "-serial", "null", "-serial", f"file:{console}", "-kernel", boot / names[0], "-initrd",
             boot / "initramfs.gz", "-append", (boot / "cmdline.txt").read_text().strip(), "-dtb", boot / names[3]]
    board = subprocess.Popen(emulated_boards.qemu_command(row, disk, extra=extra), stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    t.cleanups.callback(board.wait)
    t.cleanups.callback(board.kill)

    def shown():
        text = console.read_text(errors="replace") if console.exists() else ""
        if board.poll() is not None:
            raise RuntimeError(f"QEMU ended: {board.stderr.read().decode()}\n{text[-3000:]}")
        return text if f"on {row.name}" in text and "health " in text else None

    try:
        text = t.eventually("the status screen", shown, SCREEN_SECONDS, 0.5)
    except Failure as error:
        raise Failure(f"{error}\n{console.read_text(errors='replace')[-4000:]}") from None
    for phase in ("init", "modules", "data"):
        if f"tripod: phase {phase} " not in text:
            raise Failure(f"the phase {phase} is not on the console:\n{text[-4000:]}")
    if "board-1" not in text:
        raise Failure(f"the name from the card's tripod.ini is not on the screen:\n{text[-4000:]}")
    print("         " + "  ".join(f"{name} {seconds} s" for name, seconds in emulated_boards.PHASE.findall(text)))
