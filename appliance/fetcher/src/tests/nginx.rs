//! The same with nginx, as Debian has it, over a folder as `image-build` writes it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use handover::Mirror;
use tempfile::TempDir;
use update::Version;

use super::{Release, bring, release, run, server, system};

struct Nginx {
    folder: TempDir,
    child: Child,
    mirror: Mirror,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with it only if it's asked.
        let ended = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(ended.is_ok_and(|status| status.success()));
        self.child.wait().unwrap();
    }
}

impl Nginx {
    /// None where nginx is not installed.
    fn start() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
        let program = folders.map(|folder| folder.join("nginx")).find(|path| path.exists())?;
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (certificate, key) = server::certificate();
        let at = |name: &str| folder.path().join(name);
        let certificate = server::pem("CERTIFICATE", certificate.der());
        fs::write(at("certificate"), &certificate).unwrap();
        fs::write(at("key"), server::pem("PRIVATE KEY", &key.serialize_der())).unwrap();
        fs::create_dir(at("www")).unwrap();
        let here = folder.path().display();
        let settings = format!(
            "daemon off; pid {here}/pid; error_log {here}/errors; user root;\n\
             events {{}}\n\
             http {{\n\
               access_log {here}/log; client_body_temp_path {here}/a; proxy_temp_path {here}/b;\n\
               fastcgi_temp_path {here}/c; uwsgi_temp_path {here}/d; scgi_temp_path {here}/e;\n\
               server {{\n\
                 listen 127.0.0.1:{port} ssl;\n\
                 ssl_certificate {here}/certificate; ssl_certificate_key {here}/key;\n\
                 root {here}/www;\n\
               }}\n\
             }}\n"
        );
        fs::write(at("settings"), settings).unwrap();
        let child = Command::new(program)
            .args(["-p".as_ref(), folder.path().as_os_str(), "-c".as_ref()])
            .arg(at("settings"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let address = format!("https://localhost:{port}/updates");
        let mirror = Mirror { address, certificate: Some(certificate) };
        Some(Self { folder, child, mirror })
    }

    fn publish(&self, release: &Release) {
        let folder = self.folder.path().join("www/updates");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(release.manifest.file_name()), &release.bytes).unwrap();
        fs::write(folder.join(release.manifest.newest()), &release.head).unwrap();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

#[test]
fn a_common_web_server_is_a_mirror() {
    let Some(nginx) = Nginx::start() else {
        println!("skipped: a common web server as a mirror: nginx is not installed");
        return;
    };
    let first = release(Version(0, 2, 0), |_| ());
    assert_eq!(bring(&nginx.mirror, &system(), b"").0.unwrap_err().name(), "mirror_missing");
    nginx.publish(&first);
    assert!(run(crate::there(&nginx.mirror, &system())).unwrap().newer);
    let (brought, file) = bring(&nginx.mirror, &system(), b"");
    assert_eq!(brought.unwrap(), Version(0, 2, 0));
    assert!(file == first.bytes);
    // What an earlier try left is kept.
    let left = first.head.len() + (3 << 20);
    let (brought, file) = bring(&nginx.mirror, &system(), &first.bytes[..left]);
    assert!(brought.is_ok() && file == first.bytes);
    assert!(nginx.log().contains("HTTP/1.1\" 206 "), "{}", nginx.log());
    // A newer one comes meanwhile: nothing of the old one is mixed in.
    let second = release(Version(0, 3, 0), |_| ());
    nginx.publish(&second);
    let (brought, file) = bring(&nginx.mirror, &system(), &first.bytes[..left]);
    assert_eq!(brought.unwrap(), Version(0, 3, 0));
    assert!(file == second.bytes);
    // One bit of it.
    let path = nginx.folder.path().join("www/updates").join(second.manifest.file_name());
    let mut turned = second.bytes.clone();
    *turned.last_mut().unwrap() ^= 1;
    fs::write(&path, turned).unwrap();
    let (brought, file) = bring(&nginx.mirror, &system(), b"");
    assert_eq!(brought.unwrap_err().name(), "damaged");
    assert!(second.bytes.starts_with(&file) && file.len() < second.bytes.len());
    fs::remove_file(&path).unwrap();
    let (brought, _) = bring(&nginx.mirror, &system(), &file);
    assert_eq!(brought.unwrap_err().name(), "mirror_missing");
}
