"""What needs somebody, told once: a box or tablet that is silent, a case about to be late, a sharp fall, an import that
failed, an old backup.

`kinds`: what there is, in words. `detectors`: looks for it. `watch`: opens and closes alerts, with hysteresis, and
writes the letters. `alarm`: the server's thread. `page`, and `hailong server alerts`.
"""
