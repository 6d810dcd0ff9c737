//! https with a private CA, for clients that insist on it.
//!
//! CA and certificate are made once and kept: a client that trusts the CA goes on trusting it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What the certificate is good for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The files of a private CA.
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    /// The CA's certificate, for clients.
    pub(crate) ca: PathBuf,
}

/// Takes CA and certificate from `dir`, or makes them there.
pub(crate) fn open(dir: &Path) -> Result<Tls, String> {
    let (ca, certificate, key) = (
        dir.join("ca.pem"),
        dir.join("server.pem"),
        dir.join("server.key"),
    );
    if !certificate.exists() {
        make(dir)
            .map_err(|error| format!("can't make certificates in {}: {error}", dir.display()))?;
    }
    let config = config(&certificate, &key)
        .map_err(|error| format!("can't use {}: {error}", certificate.display()))?;
    Ok(Tls {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        ca,
    })
}

type Failed = Box<dyn std::error::Error>;

fn make(dir: &Path) -> Result<(), Failed> {
    fs::create_dir_all(dir)?;
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.distinguished_name
        .push(DnType::CommonName, "Loggia private CA");
    let ca_certificate = ca.self_signed(&ca_key)?;
    let issuer = Issuer::new(ca, ca_key);

    let key = KeyPair::generate()?;
    let mut server = CertificateParams::new(NAMES.map(str::to_owned).to_vec())?;
    server.distinguished_name.push(DnType::CommonName, "Loggia");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Strict clients, such as Python from 3.13 on, refuse certificates without it.
    server.use_authority_key_identifier_extension = true;
    let certificate = server.signed_by(&key, &issuer)?;

    write_secret(&dir.join("server.key"), &key.serialize_pem())?;
    fs::write(dir.join("ca.pem"), ca_certificate.pem())?;
    // Last: its presence says that all is there. The CA's key is forgotten, so that nobody can sign
    // anything else with it.
    fs::write(dir.join("server.pem"), certificate.pem())?;
    Ok(())
}

fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}

fn config(certificate: &Path, key: &Path) -> Result<ServerConfig, Failed> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
