//! What an intruder would try first: one function each, by plain system calls.
//!
//! `Ok` means that it worked, an error is the kernel's number. Nothing here is meant to do harm where
//! it works: the same functions run without a wall, to show that it is the wall that stops them.
#![expect(unsafe_code, reason = "an intruder makes system calls that no safe function makes")]

use std::ffi::CString;
use std::fs::File;
use std::io::{Error, Write};

use libc::{c_char, c_int, c_long, syscall};

type Got = Result<(), i32>;
type Attempt = fn() -> Got;

/// The names of all attempts for this program.
pub(crate) fn names(program: &str) -> impl Iterator<Item = &'static str> {
    // The gateway may hold very many connections.
    let gateway = program == "gateway";
    let own = move |name: &&str| !gateway || *name != "share_descriptors";
    ALL.iter().map(|(name, _)| *name).filter(own)
}

/// Tries it.
pub(crate) fn run(name: &str) -> Got {
    match ALL.iter().find(|(known, _)| *known == name) {
        Some((_, attempt)) => attempt(),
        None => Err(libc::ENOENT),
    }
}

/// For one with arguments, the `RED_TEAM_...` variables say which.
fn variable(name: &str) -> String {
    std::env::var(format!("RED_TEAM_{name}")).unwrap_or_default()
}

macro_rules! call {
    ($number:expr $(, $argument:expr)*) => {
        // SAFETY: every pointer passed in this file is null or outlives the call, and what the call
        // does to this process is the point of it.
        got(unsafe { syscall($number $(, $argument)*) })
    };
}

const ALL: &[(&str, Attempt)] = &[
    // Files.
    ("file_passwd", || file("/etc/passwd")),
    ("file_of_other", || file(&variable("OTHER_FILE"))),
    ("file_of_other_by_way_up", || file("../other/secret")),
    ("file_own_program", || file("/proc/self/exe")),
    ("file_folder_above", || folder("../other")),
    ("file_root", || folder("/etc")),
    ("file_write_above", || create("../other/planted")),
    ("file_write_tmp", || create("/tmp/red-team-planted")),
    ("file_move_out", || {
        let _ = create("mine");
        rename("mine", "../other/moved")
    }),
    ("file_links", links),
    ("file_device", || file("/dev/urandom")),
    ("file_by_handle", || call!(libc::SYS_open_by_handle_at, -1, 0, 0)),
    ("file_watch", || call!(libc::SYS_fanotify_init, 0, 0)),
    ("file_remove_above", || unlink("../other/secret")),
    // Other processes.
    ("process_list", || folder("/proc")),
    ("process_environment", || file(&format!("/proc/{}/environ", parent()))),
    ("process_memory_file", || file(&format!("/proc/{}/mem", parent()))),
    ("process_memory", || call!(libc::SYS_process_vm_readv, parent(), 0, 0, 0, 0, 0)),
    ("process_trace", || call!(libc::SYS_ptrace, libc::PTRACE_SEIZE, parent(), 0, 0)),
    ("process_signal", || call!(libc::SYS_kill, parent(), 0)),
    ("process_signal_all", || call!(libc::SYS_kill, -1, 0)),
    ("process_signal_thread", || call!(libc::SYS_tgkill, parent(), parent(), 0)),
    ("process_handle", || call!(libc::SYS_pidfd_open, parent(), 0)),
    ("process_descriptor", || call!(libc::SYS_pidfd_getfd, -1, 0, 0)),
    ("process_compare", || call!(libc::SYS_kcmp, parent(), parent(), 0, 0, 0)),
    ("process_limit", || call!(libc::SYS_prlimit64, parent(), libc::RLIMIT_CORE, 0, 0)),
    ("process_priority", || call!(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, 1)),
    ("process_signal_by_descriptor", || call!(libc::SYS_fcntl, 0, libc::F_SETOWN, parent())),
    // Programs and processes of its own.
    ("run_program", || exec(c"/bin/true")),
    ("run_itself", || exec(c"/proc/self/exe")),
    ("run_memory", || call!(libc::SYS_memfd_create, c"m".as_ptr(), 0)),
    ("run_fork", || fork(libc::SIGCHLD as c_long)),
    ("run_fork_in_namespace", || fork(libc::SIGCHLD as c_long | libc::CLONE_NEWUSER as c_long)),
    ("run_clone3", clone3),
    ("run_new_code", || map(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC)),
    ("run_changed_code", changed_code),
    // Sockets.
    ("socket_any_family", any_family),
    ("socket_internet", || socket(libc::AF_INET, libc::SOCK_STREAM)),
    ("socket_internet_6", || socket(libc::AF_INET6, libc::SOCK_DGRAM)),
    ("socket_unix", || socket(libc::AF_UNIX, libc::SOCK_STREAM)),
    ("socket_kernel", || socket(libc::AF_NETLINK, libc::SOCK_RAW)),
    ("socket_machine", || socket(libc::AF_VSOCK, libc::SOCK_STREAM)),
    ("socket_crypto", || socket(libc::AF_ALG, libc::SOCK_SEQPACKET)),
    ("socket_pair_internet", || {
        let mut pair = [0 as c_int; 2];
        call!(libc::SYS_socketpair, libc::AF_INET, libc::SOCK_STREAM, 0, pair.as_mut_ptr())
    }),
    ("socket_abstract", abstract_socket),
    ("socket_path", path_socket),
    ("steward_ask", steward),
    ("socket_listen_on_given", || call!(libc::SYS_listen, 0, 1)),
    ("socket_bind_given", || call!(libc::SYS_bind, 0, 0, 0)),
    ("socket_connect_given", || call!(libc::SYS_connect, 0, 0, 0)),
    // Rights.
    ("right_root", || call!(libc::SYS_setresuid, 0, 0, 0)),
    ("right_user", || call!(libc::SYS_setuid, 0)),
    ("right_neighbour", || call!(libc::SYS_setresuid, 3_000_002, 3_000_002, 3_000_002)),
    ("right_group", || call!(libc::SYS_setgroups, 0, 0)),
    ("right_capabilities", capabilities),
    ("right_dumpable", || call!(libc::SYS_prctl, libc::PR_SET_DUMPABLE, 1, 0, 0, 0)),
    ("right_outlive", || call!(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, 0, 0, 0, 0)),
    ("right_limit", raise_limit),
    ("right_filter", || call!(libc::SYS_seccomp, 2, 0, 0)),
    ("right_personality", || call!(libc::SYS_personality, 0)),
    // The machine.
    ("machine_mount", || call!(libc::SYS_mount, 0, 0, 0, 0, 0)),
    ("machine_unmount", || call!(libc::SYS_umount2, 0, 0)),
    ("machine_new_mount", || call!(libc::SYS_fsopen, c"tmpfs".as_ptr(), 0)),
    ("machine_tree", || call!(libc::SYS_open_tree, libc::AT_FDCWD, c".".as_ptr(), 0)),
    ("machine_root", || call!(libc::SYS_chroot, c".".as_ptr())),
    ("machine_pivot", || call!(libc::SYS_pivot_root, 0, 0)),
    ("machine_namespace", || call!(libc::SYS_unshare, libc::CLONE_NEWUSER)),
    ("machine_enter_namespace", || call!(libc::SYS_setns, -1, 0)),
    ("machine_ring", || {
        let mut parameters = [0_u8; 256];
        call!(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr())
    }),
    ("machine_bpf", || call!(libc::SYS_bpf, 0, 0, 0)),
    ("machine_keys", || call!(libc::SYS_keyctl, 0, -3, 0, 0, 0)),
    ("machine_add_key", || call!(libc::SYS_add_key, 0, 0, 0, 0, 0)),
    ("machine_perf", || call!(libc::SYS_perf_event_open, 0, 0, -1, -1, 0)),
    ("machine_faults", || call!(libc::SYS_userfaultfd, 1)),
    ("machine_module", || call!(libc::SYS_init_module, 0, 0, 0)),
    ("machine_log", || call!(libc::SYS_syslog, 10, 0, 0)),
    ("machine_clock", || call!(libc::SYS_clock_settime, libc::CLOCK_REALTIME, 0)),
    ("machine_name", || call!(libc::SYS_sethostname, 0, 0)),
    ("machine_shared_memory", || call!(libc::SYS_shmget, libc::IPC_PRIVATE, 4096, 0o600)),
    ("machine_queue", || call!(libc::SYS_msgget, libc::IPC_PRIVATE, 0o600)),
    ("machine_terminal", || call!(libc::SYS_ioctl, 2, libc::TIOCSTI, c"x".as_ptr())),
    #[cfg(target_arch = "x86_64")]
    ("machine_other_numbers", || call!(0x4000_0000 | libc::SYS_getpid)),
    #[cfg(target_arch = "x86_64")]
    ("machine_old_entry", old_entry),
    // More than its share.
    ("share_memory", || map_and_touch(512 << 20)),
    // Memory that the limit of memory does not count.
    ("share_memory_shared", || reserve(libc::MAP_SHARED)),
    ("share_memory_stack", || reserve(libc::MAP_PRIVATE | libc::MAP_GROWSDOWN)),
    ("share_descriptors", descriptors),
    ("share_threads", threads),
];

fn got(answer: c_long) -> Got {
    if answer < 0 { Err(Error::last_os_error().raw_os_error().unwrap_or(-1)) } else { Ok(()) }
}

fn io(error: &Error) -> i32 {
    error.raw_os_error().unwrap_or(-1)
}

fn parent() -> c_int {
    // SAFETY: it has no arguments and can't fail.
    unsafe { libc::getppid() }
}

fn file(path: &str) -> Got {
    let path = CString::new(path).map_err(|_| libc::EINVAL)?;
    call!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY)
}

fn folder(path: &str) -> Got {
    let path = CString::new(path).map_err(|_| libc::EINVAL)?;
    call!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY)
}

fn create(path: &str) -> Got {
    File::create(path).map(drop).map_err(|error| io(&error))
}

fn unlink(path: &str) -> Got {
    std::fs::remove_file(path).map_err(|error| io(&error))
}

fn rename(from: &str, to: &str) -> Got {
    std::fs::rename(from, to).map_err(|error| io(&error))
}

/// A link, a pipe, a socket and a device in its own folder: any would do.
fn links() -> Got {
    let tries = [
        call!(libc::SYS_symlinkat, c"/etc".as_ptr(), libc::AT_FDCWD, c"link".as_ptr()),
        call!(libc::SYS_mknodat, libc::AT_FDCWD, c"pipe".as_ptr(), libc::S_IFIFO | 0o600, 0),
        call!(libc::SYS_mknodat, libc::AT_FDCWD, c"null".as_ptr(), libc::S_IFCHR | 0o600, 0x103),
    ];
    any(&tries)
}

fn any(tries: &[Got]) -> Got {
    let refused = tries.iter().copied().find(Result::is_err).unwrap_or(Ok(()));
    if tries.iter().any(Result::is_ok) { Ok(()) } else { refused }
}

fn exec(path: &std::ffi::CStr) -> Got {
    let arguments: [*const c_char; 3] =
        [c"red-team".as_ptr(), c"attempts".as_ptr(), std::ptr::null()];
    // What is started says something else than JSON, which the test takes for "it got through".
    call!(libc::SYS_execve, path.as_ptr(), arguments.as_ptr(), std::ptr::null::<*const c_char>())
}

fn fork(flags: c_long) -> Got {
    // SAFETY: as for every call here; the child only exits.
    let pid = unsafe { syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    if pid == 0 {
        // SAFETY: ends this copy without anything else being run.
        unsafe { libc::_exit(0) }
    }
    got(pid)
}

fn clone3() -> Got {
    let mut arguments = [0_u64; 11];
    arguments[4] = libc::SIGCHLD as u64;
    // SAFETY: as above.
    let pid = unsafe { syscall(libc::SYS_clone3, arguments.as_mut_ptr(), 88) };
    if pid == 0 {
        // SAFETY: as above.
        unsafe { libc::_exit(0) }
    }
    got(pid)
}

fn map(rights: c_int) -> Got {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    call!(libc::SYS_mmap, 0, 4096, rights, flags, -1, 0)
}

fn reserve(kind: c_int) -> Got {
    let rights = libc::PROT_READ | libc::PROT_WRITE;
    call!(libc::SYS_mmap, 0, 512_usize << 20, rights, kind | libc::MAP_ANONYMOUS, -1, 0)
}

fn changed_code() -> Got {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new page, used by nobody.
    let page = unsafe { syscall(libc::SYS_mmap, 0, 4096, libc::PROT_READ, flags, -1, 0) };
    call!(libc::SYS_mprotect, page, 4096, libc::PROT_READ | libc::PROT_EXEC)
}

fn socket(family: c_int, kind: c_int) -> Got {
    call!(libc::SYS_socket, family, kind, 0)
}

fn any_family() -> Got {
    let kinds = [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_RAW, libc::SOCK_SEQPACKET];
    let tries = (0..64).flat_map(|family| kinds.map(|kind| socket(family, kind)));
    any(&tries.collect::<Vec<_>>())
}

/// A socket that another program of this user listens on, by a name that is no file.
fn abstract_socket() -> Got {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixStream};
    let address =
        SocketAddr::from_abstract_name(variable("ABSTRACT")).map_err(|error| io(&error))?;
    UnixStream::connect_addr(&address).map(drop).map_err(|error| io(&error))
}

/// The same by a path, as the node's control socket has one.
fn path_socket() -> Got {
    let path = variable("SOCKET");
    std::os::unix::net::UnixStream::connect(path).map(drop).map_err(|error| io(&error))
}

/// Root's helper, which would answer the node; here its socket is open to everybody.
fn steward() -> Got {
    use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketType};
    let raw = |errno: rustix::io::Errno| errno.raw_os_error();
    let socket =
        rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).map_err(raw)?;
    let address = SocketAddrUnix::new(variable("STEWARD")).map_err(raw)?;
    rustix::net::connect(&socket, &address).map_err(raw)?;
    rustix::net::send(&socket, &[0], SendFlags::NOSIGNAL).map(drop).map_err(raw)
}

/// Asks for all capabilities; without a wall and as root it has them already.
fn capabilities() -> Got {
    let header = [0x2008_0522_u32, 0];
    let mut sets = [0_u32; 6];
    call!(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr())?;
    call!(libc::SYS_capset, header.as_ptr(), sets.as_ptr())
}

fn raise_limit() -> Got {
    let more = [u64::MAX, u64::MAX];
    call!(libc::SYS_prlimit64, 0, libc::RLIMIT_DATA, more.as_ptr(), 0)
}

/// The entry for 32-bit programs, whose numbers mean other calls.
#[cfg(target_arch = "x86_64")]
fn old_entry() -> Got {
    let mut answer: i64 = 20;
    // SAFETY: asks for the process's id by the old way in; changes nothing else.
    unsafe { std::arch::asm!("int 0x80", inout("rax") answer, options(nostack)) };
    got(answer)
}

fn map_and_touch(bytes: usize) -> Got {
    let mut held: Vec<Vec<u8>> = Vec::new();
    let step = 16 << 20;
    for _ in 0..bytes / step {
        let mut more = Vec::new();
        if more.try_reserve_exact(step).is_err() {
            return Err(libc::ENOMEM);
        }
        more.resize(step, 1);
        held.push(more);
    }
    Ok(())
}

fn descriptors() -> Got {
    for _ in 0..5_000 {
        call!(libc::SYS_fcntl, 0, libc::F_DUPFD_CLOEXEC, 0)?;
    }
    Ok(())
}

/// Threads that only wait; more than a twin may have, far from what hurts a machine.
fn threads() -> Got {
    let mut running = 0;
    while running < 300 {
        let started = std::thread::Builder::new().stack_size(64 << 10).spawn(std::thread::park);
        if let Err(error) = started {
            return Err(io(&error));
        }
        running += 1;
    }
    let _ = std::io::stdout().flush();
    Ok(())
}
