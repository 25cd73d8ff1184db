"""Events: what an agent put out, as typed, versioned, frozen values with canonical bytes."""
