//! The door: durable, small, all or nothing.
use store::{Door, Error};

#[test]
fn what_is_put_is_there_after_a_reopen() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path()).unwrap();
    door.put(b"token/a", b"1").unwrap();
    door.put(b"token/b", b"2").unwrap();
    door.put(b"other", b"3").unwrap();
    assert!(door.delete(b"token/a").unwrap());
    assert!(!door.delete(b"token/a").unwrap());
    drop(door);
    let door = Door::open(folder.path()).unwrap();
    assert_eq!(door.get(b"token/a").unwrap(), None);
    assert_eq!(door.get(b"other").unwrap().as_deref(), Some(b"3".as_slice()));
    assert_eq!(door.prefix(b"token/").unwrap(), [(b"token/b".to_vec(), b"2".to_vec())]);
    assert_eq!(door.prefix(b"").unwrap().len(), 2);
    assert!(matches!(door.put(b"", b"x"), Err(Error::BadKey { .. })));
}

#[test]
fn a_failing_change_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path()).unwrap();
    let failed = door.write(|w| {
        w.put(b"a", b"1")?;
        assert_eq!(w.get(b"a")?.as_deref(), Some(b"1".as_slice()));
        Err::<(), _>(Error::NoEntry { seq: 1 })
    });
    assert!(matches!(failed, Err(Error::NoEntry { seq: 1 })));
    assert_eq!(door.get(b"a").unwrap(), None);
    door.write(|w| w.put(b"a", b"1").and_then(|()| w.put(b"b", b"2"))).unwrap();
    assert_eq!(door.prefix(b"").unwrap().len(), 2);
}
