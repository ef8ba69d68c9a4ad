"""Every bound of the wire and of what peers can make a node hold, with the abuse it stops.

Refuses nothing by itself; admission and the pools read it.
"""

# One gossip message. Larger payloads are announced by hash; stops bandwidth amplification.
ENVELOPE_SIZE_BYTES_MAX = 64 * 1024
# Nested arrays and maps. Stops stack exhaustion in the decoder.
CBOR_DEPTH_MAX = 12
# Items in one decoded message. Stops small messages that unfold into large objects.
CBOR_ITEMS_MAX = 16_384
# Unsigned integers on the wire. Stops big-number bombs (CBOR tags 2 and 3 are refused anyway).
UINT_MAX = 2**63 - 1
# A message this far ahead of the receiver's clock is not relayed by gossip. Stops pre-dated floods.
FUTURE_SKEW_MS_MAX = 2 * 60 * 1000
# Network name, feature names, parameter keys. Stops display floods.
NAME_SIZE_BYTES_MAX = 64
# Title and text of a proposal. Stops storage floods by proposals.
TITLE_SIZE_BYTES_MAX = 200
TEXT_SIZE_BYTES_MAX = 8 * 1024
# Founders in a genesis: larger rolls grow by admission.
FOUNDERS_MAX = 256
# Members of a roll.
ROLL_MAX = 16_384
# Effects that one proposal may carry.
EFFECTS_PER_PROPOSAL_MAX = 16
# Open proposals per author. Stops proposal floods by one member.
OPEN_PROPOSALS_PER_AUTHOR_MAX = 3
# Ballots waiting for their proposal: per author and altogether. Stops orphan floods.
ORPHANS_PER_AUTHOR_MAX = 64
ORPHANS_MAX = 4096
# Dimension of a delta and the magnitude of one coordinate. Stops overflow and bloat.
DELTA_DIMENSION_MAX = 1024
DELTA_COORDINATE_MAX = 2**31 - 1
# Envelopes kept per author beyond what retention rules release. Stops one author filling the disk.
ENVELOPES_PER_AUTHOR_MAX = 4096
# Addresses in a card.
ADDRESSES_PER_CARD_MAX = 8
ADDRESS_SIZE_BYTES_MAX = 256
# One reconciliation message. Stops a partner from making us build or read large frames.
RECONCILIATION_FRAME_SIZE_BYTES_MAX = 64 * 1024
# Ranges in one reconciliation message. Stops floods of empty ranges, each of which costs a search.
RECONCILIATION_RANGES_MAX = 8192
# Messages we send in one dialogue. Stops partners that never agree.
RECONCILIATION_ROUNDS_MAX = 32
# Ids a partner may claim to have for us in one dialogue. Stops invented ids from filling memory.
RECONCILIATION_NEED_MAX = 16_384
# Ids in one fetch or offer. Stops one request from asking for everything.
SYNC_IDS_MAX = 256
# One response of the sync protocol. Stops amplification: a fetch of 8 KB never costs more than this.
SYNC_RESPONSE_SIZE_BYTES_MAX = 512 * 1024
# Bytes both ways in one sync dialogue. Stops partners that feed us without end.
SYNC_DIALOGUE_SIZE_BYTES_MAX = 8 * 1024 * 1024
# Bytes served to one peer a minute. Stops peers that download us in a loop.
SYNC_SERVED_BYTES_PER_MINUTE_MAX = 16 * 1024 * 1024
# Peers the sync machine remembers. Stops identities from filling memory.
SYNC_PEERS_MAX = 256
