//! The table itself. A new crate gets its row here with its first lines.

/// What one of the project's crates may use of the others.
pub(super) struct Row {
    pub(super) name: &'static str,
    /// In what is shipped, and in tests.
    pub(super) uses: &'static [&'static str],
    /// In tests only.
    pub(super) tests: &'static [&'static str],
}

/// Outside crates that only some of the project's crates may use.
pub(super) struct Bound {
    pub(super) crates: &'static [&'static str],
    pub(super) allowed: &'static [&'static str],
    /// Whether a crate may not even be reached through others, except through the allowed ones.
    pub(super) indirect: bool,
    pub(super) why: &'static str,
}

/// From the bottom of the house to its top.
pub(super) const HOUSE: &[Row] = &[
    Row { name: "clisonix-fhir", uses: &[], tests: &[] },
    Row { name: "clisonix-hl7v2", uses: &[], tests: &[] },
    Row { name: "clisonix-pq", uses: &[], tests: &["clisonix-fhir"] },
    // Encrypts its pages, rows and backups by what clisonix-pq seals; a trait between them would have
    // one implementation and the same shape.
    Row { name: "clisonix-store", uses: &["clisonix-pq"], tests: &[] },
    Row { name: "clisonix-crdt", uses: &["clisonix-fhir"], tests: &[] },
    Row { name: "clisonix-tide", uses: &["clisonix-crdt"], tests: &["clisonix-fhir"] },
    Row { name: "clisonix-ingest", uses: &["clisonix-fhir", "clisonix-hl7v2"], tests: &[] },
    Row { name: "clisonix-research", uses: &["clisonix-fhir"], tests: &[] },
    Row { name: "clisonix-demo", uses: &["clisonix-fhir"], tests: &["clisonix-ingest"] },
    Row {
        name: "clisonix-node",
        // clisonix-pq for the vault of data keys, orders to erase, and statements about changes.
        uses: &[
            "clisonix-crdt",
            "clisonix-fhir",
            "clisonix-ingest",
            "clisonix-pq",
            "clisonix-store",
            "clisonix-tide",
        ],
        tests: &[],
    },
    // The one crate with sockets.
    Row {
        name: "clisonix-server",
        uses: &["clisonix-node", "clisonix-pq", "clisonix-tide"],
        tests: &[],
    },
    Row {
        name: "clisonix",
        uses: &[
            "clisonix-demo",
            "clisonix-fhir",
            "clisonix-node",
            "clisonix-pq",
            "clisonix-research",
            "clisonix-server",
            // Bundles are runs of its replica.
            "clisonix-tide",
        ],
        tests: &[],
    },
    // Tests of the whole house below the server; nothing of it is shipped.
    Row {
        name: "clisonix-sim",
        uses: &["clisonix-fhir", "clisonix-node", "clisonix-pq", "clisonix-store", "clisonix-tide"],
        tests: &[],
    },
    Row {
        name: "clisonix-python",
        uses: &["clisonix-crdt", "clisonix-fhir", "clisonix-pq"],
        tests: &[],
    },
    Row { name: "xtask", uses: &["clisonix-fhir"], tests: &[] },
];

/// Each rule with its reason.
pub(super) const BOUND: &[Bound] = &[
    Bound {
        crates: &["async-std", "axum", "hyper", "reqwest", "smol", "tokio"],
        allowed: &[],
        indirect: true,
        why: "no crate below the server knows an async runtime or a network",
    },
    Bound {
        crates: &[
            "aes",
            "aes-gcm",
            "age",
            "argon2",
            "aws-lc-rs",
            "blake2",
            "blake3",
            "chacha20poly1305",
            "curve25519-dalek",
            "ed25519-dalek",
            "fips203",
            "fips204",
            "hkdf",
            "hpke",
            "k256",
            "libcrux-ml-dsa",
            "libcrux-ml-kem",
            "md-5",
            "ml-dsa",
            "ml-kem",
            "native-tls",
            "openssl",
            "p256",
            "pbkdf2",
            "ring",
            "rsa",
            "rustls",
            "scrypt",
            "sha1",
            "sha3",
            "x-wing",
            "x25519-dalek",
        ],
        allowed: &["clisonix-pq"],
        indirect: true,
        why: "encryption and signatures have one home",
    },
    Bound {
        crates: &["hmac", "sha2"],
        allowed: &[
            "clisonix-crdt",
            "clisonix-ingest",
            "clisonix-node",
            "clisonix-python",
            "clisonix-store",
        ],
        indirect: false,
        why: "only change hashes, derived ids, digests of nodes and the access log's chain are hashed by hand",
    },
    Bound {
        crates: &["siphasher"],
        allowed: &["clisonix-tide"],
        indirect: false,
        why: "a keyed hash for tables, not for signatures: only entries of sketches are made with it",
    },
    Bound {
        crates: &["getrandom", "rand"],
        allowed: &["clisonix", "clisonix-node", "clisonix-python", "clisonix-server"],
        indirect: false,
        why: "the random source is handed in from outside; libraries use one in their tests",
    },
    Bound {
        crates: &["signal-hook"],
        allowed: &["clisonix"],
        indirect: false,
        why: "a process is asked to end by signals, a library is not",
    },
    Bound {
        crates: &["jiff"],
        allowed: &["clisonix-demo", "clisonix-pq", "clisonix-research"],
        indirect: false,
        why: "partial dates are kept as texts; a calendar is computed with only where days are made up, shifted or counted",
    },
    Bound {
        crates: &["anyhow"],
        allowed: &["clisonix", "xtask"],
        indirect: false,
        why: "libraries have error enums",
    },
    Bound {
        crates: &["serde_json"],
        allowed: &["xtask"],
        indirect: true,
        why: "clisonix-fhir's JSON keeps the text of numbers",
    },
    Bound {
        crates: &["redb"],
        allowed: &["clisonix-store"],
        indirect: false,
        why: "the store's trait is the only way to the disk format",
    },
    Bound {
        crates: &["pyo3"],
        allowed: &["clisonix-python"],
        indirect: false,
        why: "one crate is the Python face",
    },
];
