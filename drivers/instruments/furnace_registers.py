"""Registers of a 2400 series controller, and what their bits and numbers mean."""

from __future__ import annotations

PROCESS_VALUE, OUTPUT, WORKING_SETPOINT = 1, 3, 5
SELECTED_SETPOINT, PROGRAM_NUMBER, PROGRAM_STATUS, SETPOINT_1 = 15, 22, 23, 24
RATE_LIMIT, PROGRAM_REMAINING, STATUS_WORD, RATE_DISABLE = 35, 58, 75, 78
FIRMWARE, HIGH_LIMIT, LOW_LIMIT, IDENT = 107, 111, 112, 122
SENSOR_BREAK_STATUS, AUTO_MANUAL, ACKNOWLEDGE = 258, 273, 274
UNITS, DECIMALS, RATE_UNITS, CUSTOMER_ID, RESOLUTION = 516, 525, 531, 629, 12550

ALARM_BITS, MANUAL_BIT, SENSOR_BREAK_BIT, LOOP_BREAK_BIT, HEATER_BIT, RANGE_BIT = 0x0F, 0x10, 0x20, 0x40, 0x80, 0x400
NO_READING = (0x7FFF, 0x8000)
RESET, RUN = 1, 2
STATES = {1: "reset", 2: "run", 4: "hold", 8: "holdback", 16: "complete"}
MODELS = {0x4: "2404", 0x6: "2416", 0x8: "2408"}
"""By the third digit of the identifier, the size of the case."""
UNIT_NAMES = {0: "degC", 1: "degF", 2: "K", 3: "no unit"}
