//! What a store promises of listings.

use super::{Backend, delete, place, store, write};
use crate::place::Kind;

/// Live entries only, ordered by their names in the index.
pub async fn a_listing_has_what_is_there_in_order(backend: impl Backend) {
    let a = backend.open().await;
    for (provider, version) in [("b", 1), ("a", 2), ("é", 3), ("z", 4)] {
        store(&a, &place("c", provider), write(version, b"x")).await;
    }
    store(&a, &place("c", "z"), delete(5)).await;
    let listed = a.list(place("c", "a").client()).await.expect("list");
    assert_eq!(listed, [place("c", "é"), place("c", "a"), place("c", "b")]);
    let (kind, provider, _) = listed[0].parts().expect("parts");
    assert_eq!((kind, provider.as_str()), (Kind::Token, "é"));
}

/// A client's index is its own.
pub async fn clients_do_not_see_each_other(backend: impl Backend) {
    let a = backend.open().await;
    store(&a, &place("c", "p"), write(1, b"x")).await;
    store(&a, &place("c:i", "p"), write(1, b"x")).await;
    assert_eq!(a.list(place("c", "p").client()).await.expect("list"), [place("c", "p")]);
    assert!(a.list(place("nobody", "p").client()).await.expect("list").is_empty());
}
