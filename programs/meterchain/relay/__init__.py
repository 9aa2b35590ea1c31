"""The relay: pays for the delivery of records that nodes publish over MQTT 5, and is believed by nobody.

`window` is what a node publishes, `broker` how it travels, `kept` what a relay holds, `packing` which records share a
transaction, `tables` the lookup tables that make room for four, `delivery` one turn of all that, `running` turn after
turn.  A relay that lies, loses or doubles messages can only delay: the oracle checks every signature, and a node takes
a record for delivered when the chain shows it.
"""
