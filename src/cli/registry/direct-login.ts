import type { LoginResponse } from "#api/system.ts";
import { login } from "#registry/login.ts";
import type { Login } from "../config/credentials.ts";
import type { Context } from "../context.ts";
import { asCredentials, ownRegistrySettings } from "./registry-access.ts";

/** Asks the registry itself whether it lets these in, where there is no engine to ask it. */
export async function loginDirectly(context: Context, address: string, tried: Login): Promise<LoginResponse> {
  const asked = {
    server: address,
    credentials: asCredentials(tried),
    settings: ownRegistrySettings(context),
  };
  const { identityToken } = await login(asked, new AbortController().signal);
  return { Status: "Login Succeeded", IdentityToken: identityToken };
}
