"""The simulated powder laboratory: two arms, furnaces, dosers and a diffractometer around one physical truth.

`world.PowderLab` is the world ``powder-lab``; `checker` reads what it wrote, and tells what should never have happened.
What scorers and checkers find in the world's file (controllers know nothing of it):

    world                   name, seed, options, and when the world began (s)
    container/ID            where it is (a place, an arm, ``inside``, ``floor``, ``chute``, ``away``), tare, firings
    powder/ID               the powder in it (`simulators.materials.solid_state.powder`), as text
    magazine                crucibles left, and how many were fetched
    act/N                   each act: what, once, facts (device, tag, container, place, doors), at_s
    DEVICE/...              what an instrument keeps, under the keys of its own world
    BOX/hot/HOUR            minutes of that hour at 100 degC and above: [minute, true temperature]
    BOX/run                 the program in progress or last run, and what went wrong with it
    DEVICE/residue          what the mortar keeps of what was ground in it

Acts that nobody ordered have ``by`` among their facts: ``person`` or ``world``. What must never happen is an act
``unsafe`` with the fact ``rule``.
"""
